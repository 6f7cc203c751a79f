// Files that calls of models name by their ids: in chats, in responses, in streams of both; one that is not there.

import { toFile } from "openai";
import { client, refused, tell } from "./client.mjs";

const notes = "The harbour has nine cranes. The lighthouse keeper is called Wilhelmina. Boats leave at dawn.";
const question = "What is the lighthouse keeper called?";
const model = "gpt-4o-mini";
const file = await client.files.create({ file: await toFile(Buffer.from(notes), "notes.txt"), purpose: "user_data" });
const chat = (file_id) => [
  { role: "user", content: [{ type: "text", text: question }, { type: "file", file: { file_id } }] },
];
const input = (file_id) => [
  { role: "user", content: [{ type: "input_text", text: question }, { type: "input_file", file_id }] },
];

const said = await client.chat.completions.create({ model, messages: chat(file.id) });
const made = await client.responses.create({ model, input: input(file.id) });
const items = [];
for await (const item of client.responses.inputItems.list(made.id)) items.push(item);
let streamed = "";
for await (const event of await client.responses.create({ model, input: input(file.id), stream: true })) {
  if (event.type === "response.output_text.delta") streamed += event.delta;
}

tell({
  chat: said.choices[0].message.content,
  response: made.output_text,
  streamed,
  ours: items[0].content[1].file_id === file.id,
  deleted: (await client.files.delete(file.id)).deleted,
  lost: await refused(client.chat.completions.create({ model, messages: chat(file.id) })),
});
