import { environmentContract } from "../../contracts/environment.js";
import { storeContract } from "../../contracts/store.js";
import { durableSubject, memorySubject } from "./subjects.js";

storeContract("memory", () => memorySubject(), { persistent: false });
storeContract("durable", () => durableSubject(), { persistent: true });
environmentContract("memory", () => memorySubject());
environmentContract("durable", () => durableSubject());
