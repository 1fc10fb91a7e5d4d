import { queueContract } from "../../contracts/queue.js";
import { durableSubject, memorySubject } from "../store/subjects.js";

queueContract("memory", () => memorySubject(), { persistent: false });
queueContract("durable", () => durableSubject(), { persistent: true });
