// Chat, streamed: pieces, usage when asked for, the SDK's own helper, and a stream that is left early.

import { client, tell } from "./client.mjs";

const body = { model: "gpt-4o-mini", messages: [{ role: "user", content: "Say hello to the people of Lyon, please." }] };

const plain = [];
for await (const chunk of await client.chat.completions.create({ ...body, stream: true })) plain.push(chunk);

const counted = [];
const options = { stream: true, stream_options: { include_usage: true } };
for await (const chunk of await client.chat.completions.create({ ...body, ...options })) counted.push(chunk);

const whole = await client.chat.completions.stream(body).finalChatCompletion();

let first = null;
for await (const chunk of await client.chat.completions.create({ ...body, stream: true })) {
  first = chunk;
  break;
}

tell({
  text: plain.map((chunk) => chunk.choices[0]?.delta.content ?? "").join(""),
  chunks: plain.length,
  finish: plain.at(-1).choices[0].finish_reason,
  hidden: plain.every((chunk) => chunk.usage == null),
  usage: counted.at(-1).usage,
  whole: whole.choices[0].message.content,
  left: first.object,
});
