// Responses in the background: polled to their end, and canceled while they run.

import { client, refused, tell } from "./client.mjs";

const model = "gpt-4o-mini";

/** A response once it has ended. */
async function ended(id) {
  let now = await client.responses.retrieve(id);
  for (let tries = 0; tries < 1200 && ["queued", "in_progress"].includes(now.status); tries++) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    now = await client.responses.retrieve(id);
  }
  return now;
}

const created = await client.responses.create({ model, input: "Whenever you like. [[speed:5]]", background: true });
const done = await ended(created.id);
const next = await client.responses.create({ model, input: "Go on.", previous_response_id: done.id });

const slow = await client.responses.create({ model, input: "Take your time. [[fault:stuck]]", background: true });
const canceled = await client.responses.cancel(slow.id);
const after = await ended(slow.id);
const twice = await client.responses.cancel(slow.id);

tell({
  created: { id: created.id, status: created.status, background: created.background, output: created.output },
  done: { id: done.id, status: done.status, text: done.output_text, usage: done.usage },
  next: next.output_text,
  canceled: { id: canceled.id, status: canceled.status, after: after.status, twice: twice.status },
  late: (await client.responses.cancel(done.id)).status,
  unknown: await refused(client.responses.retrieve(`resp_${"0".repeat(32)}`)),
  streamed: await refused(client.responses.create({ model, input: "x", background: true, stream: true })),
});
