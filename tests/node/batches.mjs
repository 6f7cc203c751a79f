// Batches: made of a file, watched to their end, listed, cancelled too late; what came out; a file that is not in order.

import { toFile } from "openai";
import { client, refused, tell } from "./client.mjs";

const endpoint = "/v1/chat/completions";

/** A batch of these lines, once it has ended. */
async function ended(lines) {
  const body = Buffer.from(lines.map((line) => JSON.stringify(line) + "\n").join(""));
  const file = await client.files.create({ file: await toFile(body, "requests.jsonl"), purpose: "batch" });
  let batch = await client.batches.create({
    input_file_id: file.id, endpoint, completion_window: "24h", metadata: { by: "node" },
  });
  const first = batch.status;
  while (["validating", "in_progress", "finalizing"].includes(batch.status)) {
    await new Promise((done) => setTimeout(done, 100));
    batch = await client.batches.retrieve(batch.id);
  }
  return { first, batch };
}

function line(custom_id, content) {
  return { custom_id, method: "POST", url: endpoint, body: { model: "gpt-4o-mini", messages: [{ role: "user", content }] } };
}

const { first, batch } = await ended([line("one", "Hello"), line("two", "Again [[tokens:7]]")]);
const text = await (await client.files.content(batch.output_file_id)).text();
const lines = text.trim().split("\n").map((one) => JSON.parse(one));
const listed = [];
for await (const one of client.batches.list({ limit: 1 })) listed.push(one.id);
const bad = (await ended([line("one", "Hello"), line("one", "Hello")])).batch;

tell({
  first,
  status: batch.status,
  counts: batch.request_counts,
  metadata: batch.metadata,
  ids: lines.map((one) => one.custom_id),
  answered: lines.every((one) => one.response.status_code === 200 && one.response.body.choices[0].message.content),
  tokens: lines[1].response.body.usage.completion_tokens,
  listed: listed.includes(batch.id),
  late: await refused(client.batches.cancel(batch.id)),
  unknown: await refused(client.batches.retrieve("batch_nothing")),
  bad: [bad.status, bad.errors.data[0].code, bad.errors.data[0].line],
});
