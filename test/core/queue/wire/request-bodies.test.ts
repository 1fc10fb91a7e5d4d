import { IncomingMessage } from "node:http";
import { Socket } from "node:net";
import { describe, expect, it } from "vitest";
import { RequestBodies } from "../../../../core/queue/wire/request-bodies.js";

/** A request whose body the test pushes piece by piece. */
function request(length?: number): IncomingMessage {
  const message = new IncomingMessage(new Socket());
  message._read = () => undefined;
  if (length !== undefined) message.headers["content-length"] = String(length);
  return message;
}
const turn = () => new Promise((resolve) => setImmediate(resolve));

describe("bodies of requests", () => {
  it("are put together", async () => {
    const bodies = new RequestBodies();
    for (const pieces of [[], ["one"], ["one", "two", "three"]]) {
      const incoming = request();
      const body = bodies.read(incoming);
      for (const piece of pieces) incoming.push(piece);
      incoming.push(null);
      expect((await body).toString()).toBe(pieces.join(""));
    }
  });

  it("are refused above the limit of one, by what they say and by what they are", async () => {
    const bodies = new RequestBodies(10, 100);
    await expect(bodies.read(request(11))).rejects.toMatchObject({ code: "RequestEntityTooLarge" });
    const incoming = request();
    const body = bodies.read(incoming);
    incoming.push(Buffer.alloc(6));
    incoming.push(Buffer.alloc(6));
    await expect(body).rejects.toMatchObject({ code: "RequestEntityTooLarge" });
    const fits = request(10);
    const whole = bodies.read(fits);
    fits.push(Buffer.alloc(10));
    fits.push(null);
    expect(await whole).toHaveLength(10);
  });

  it("are refused while all that arrive are above theirs, and taken again afterwards", async () => {
    const bodies = new RequestBodies(60, 100);
    const first = request();
    const second = request();
    const third = request();
    const [one, two] = [bodies.read(first), bodies.read(second)];
    first.push(Buffer.alloc(50));
    second.push(Buffer.alloc(50));
    await turn();
    const refused = bodies.read(third);
    third.push(Buffer.alloc(1));
    await expect(refused).rejects.toMatchObject({ code: "TOO_MUCH_AT_ONCE", kind: "transient" });
    second.destroy();
    await expect(two).rejects.toMatchObject({ code: "CLIENT_LEFT" });
    const fourth = request();
    const four = bodies.read(fourth);
    fourth.push(Buffer.alloc(50));
    for (const incoming of [first, fourth]) incoming.push(null);
    expect([await one, await four].map(({ length }) => length)).toEqual([50, 50]);
    // Nothing is counted that is over.
    const last = request();
    const whole = bodies.read(last);
    last.push(Buffer.alloc(60));
    last.push(null);
    expect(await whole).toHaveLength(60);
  });
});
