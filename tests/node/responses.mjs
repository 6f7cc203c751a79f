// Responses: whole, streamed, going on from a stored one, function calls, and what is done with stored ones.

import { client, refused, tell } from "./client.mjs";

const model = "gpt-4o-mini";
const { data: first, response } = await client.responses
  .create({ model, input: "Say hello to the people of Lyon, please." })
  .withResponse();
const second = await client.responses.create({ model, input: "And once more.", previous_response_id: first.id });

const events = [];
for await (const event of await client.responses.create({ model, input: "Count to three.", stream: true })) {
  events.push(event);
}
const streamed = events.at(-1).response;
const helped = await client.responses.stream({ model, input: "Say hello.", store: false }).finalResponse();

const tools = [
  {
    type: "function",
    name: "get_weather",
    description: "The weather of a city",
    strict: true,
    parameters: {
      type: "object",
      properties: { city: { type: "string" } },
      required: ["city"],
      additionalProperties: false,
    },
  },
];
const asked = await client.responses.create({ model, input: "What is the weather in Paris?", tools });
const call = asked.output.find((item) => item.type === "function_call");
const told = await client.responses.create({
  model,
  tools,
  previous_response_id: asked.id,
  input: [{ type: "function_call_output", call_id: call.call_id, output: '{"celsius": 21}' }],
});

const got = await client.responses.retrieve(first.id);
const again = await client.responses.retrieve(streamed.id);
const items = [];
for await (const item of client.responses.inputItems.list(first.id)) items.push(item);
await client.responses.delete(first.id);

const later = await client.responses.create({ model, input: "Whenever you like. [[speed:5]]", background: true });
let done = later;
for (let tries = 0; tries < 600 && ["queued", "in_progress"].includes(done.status); tries++) {
  await new Promise((resolve) => setTimeout(resolve, 50));
  done = await client.responses.retrieve(later.id);
}

tell({
  text: first.output_text,
  usage: first.usage,
  cost: response.headers.get("x-unigate-cost"),
  second: { text: second.output_text, previous: second.previous_response_id, first: first.id },
  types: events.map((event) => event.type),
  delta: events.map((event) => (event.type === "response.output_text.delta" ? event.delta : "")).join(""),
  streamed: streamed.output.flatMap((item) => item.content ?? []).map((part) => part.text ?? "").join(""),
  helped: helped.output_text,
  city: JSON.parse(call.arguments).city,
  told: told.output_text,
  got: got.id === first.id && again.id === streamed.id,
  items: items.map((item) => item.type),
  gone: await refused(client.responses.retrieve(first.id)),
  lost: await refused(client.responses.create({ model, input: "Hm?", previous_response_id: "resp_nobodys" })),
  background: { id: later.id, begun: later.status, ended: done.status, text: done.output_text },
});
