// Files and uploads: kept, listed page by page, read, deleted; a file in parts; what is not there.

import { createHash } from "node:crypto";
import { toFile } from "openai";
import { client, refused, tell } from "./client.mjs";

const body = "line one\nline two\n".repeat(100);
const made = await client.files.create({ file: await toFile(Buffer.from(body), "lines.txt"), purpose: "user_data" });
const other = await client.files.create({
  file: await toFile(Buffer.from("{}"), "a.jsonl"),
  purpose: "batch",
  expires_after: { anchor: "created_at", seconds: 7200 },
});
const listed = [];
for await (const file of client.files.list({ limit: 1, order: "asc" })) listed.push(file.id);
const content = await (await client.files.content(made.id)).text();
const deleted = await client.files.delete(made.id);

const bytes = Buffer.from("abcdefgh".repeat(1000));
const upload = await client.uploads.create({
  bytes: bytes.length, filename: "parts.bin", mime_type: "application/octet-stream", purpose: "user_data",
});
const part_ids = [];
for (const half of [bytes.subarray(0, 5000), bytes.subarray(5000)]) {
  const part = await client.uploads.parts.create(upload.id, { data: await toFile(half, "part") });
  part_ids.push(part.id);
}
const md5 = createHash("md5").update(bytes).digest("hex");
const wrong = await refused(client.uploads.complete(upload.id, { part_ids, md5: "0".repeat(32) }));
const complete = await client.uploads.complete(upload.id, { part_ids, md5 });
const whole = Buffer.from(await (await client.files.content(complete.file.id)).arrayBuffer());

tell({
  made: [made.filename, made.bytes, made.purpose, made.expires_at],
  expires: other.expires_at - other.created_at,
  listed: listed.length === 2 && listed[0] === made.id && listed[1] === other.id,
  content: content === body,
  deleted: deleted.deleted && deleted.id === made.id,
  lost: await refused(client.files.retrieve(made.id)),
  wrong,
  complete: [complete.status, complete.file.filename],
  whole: whole.equals(bytes),
  late: await refused(client.uploads.cancel(upload.id)),
});
