// What the platform keeps: a vector store, a conversation, containers; what is not there.

import { toFile } from "openai";
import { client, refused, tell } from "./client.mjs";

const text = "The harbour has nine cranes. The lighthouse keeper is called Wilhelmina.";
const store = await client.vectorStores.create({ name: "notes" });
const file = await client.vectorStores.files.uploadAndPoll(store.id, await toFile(Buffer.from(text), "notes.txt"));
const search = await client.vectorStores.search(store.id, { query: "lighthouse keeper" });
const found = [];
for await (const hit of search) found.push(hit.filename);
const stores = [];
for await (const one of client.vectorStores.list({ limit: 2 })) stores.push(one.id);

const conversation = await client.conversations.create({
  items: [{ type: "message", role: "user", content: "Hello." }],
});
const answer = await client.responses.create({
  model: "gpt-4o-mini", input: "Say something.", conversation: conversation.id,
});
let items = 0;
for await (const _ of client.conversations.items.list(conversation.id, { limit: 1 })) items++;

const name = `node-${Date.now()}`;
const box = await client.containers.create({ name });
const bytes = Buffer.from("abcdefgh".repeat(1000));
const sent = await client.containers.files.create(box.id, { file: await toFile(bytes, "a.bin") });
const content = await client.containers.files.content.retrieve(sent.id, { container_id: box.id });
await client.containers.create({ name });
let pages = 0;
for await (const page of (await client.containers.list({ name, limit: 1 })).iterPages()) pages += page.data.length;

const deleted = {
  file: (await client.vectorStores.files.delete(file.id, { vector_store_id: store.id })).deleted,
  store: (await client.vectorStores.delete(store.id)).deleted,
  conversation: (await client.conversations.delete(conversation.id)).deleted,
};
tell({
  found,
  ours: (await client.files.retrieve(file.id)).filename === "notes.txt",
  listed: stores.includes(store.id),
  said: answer.output_text.length > 0,
  items,
  content: Buffer.from(await content.arrayBuffer()).equals(bytes),
  pages,
  deleted,
  lost: [
    await refused(client.vectorStores.retrieve(store.id)),
    await refused(client.conversations.retrieve(conversation.id)),
    await refused(client.evals.retrieve("eval_none")),
    await refused(client.fineTuning.jobs.retrieve("ftjob-none")),
  ],
});
