// Chat, whole: an answer, a call of a tool and its result, an answer by a schema, and a refusal.

import { client, refused, tell } from "./client.mjs";

const model = "gpt-4o-mini";
const hello = [{ role: "user", content: "Say hello to the people of Lyon, please." }];
const { data: answer, response } = await client.chat.completions.create({ model, messages: hello }).withResponse();

const question = { role: "user", content: "What is the weather in Paris?" };
const tools = [
  {
    type: "function",
    function: {
      name: "get_weather",
      description: "The weather of a city",
      parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
    },
  },
];
const asked = await client.chat.completions.create({ model, messages: [question], tools });
const call = asked.choices[0].message.tool_calls[0];
const result = { role: "tool", tool_call_id: call.id, content: '{"celsius": 21}' };
const told = await client.chat.completions.create({ model, messages: [question, asked.choices[0].message, result], tools });

const schema = {
  type: "object",
  properties: { city: { type: "string" } },
  required: ["city"],
  additionalProperties: false,
};
const shaped = await client.chat.completions.parse({
  model,
  messages: [{ role: "user", content: "Where is the Louvre?" }],
  response_format: { type: "json_schema", json_schema: { name: "place", strict: true, schema } },
});

tell({
  text: answer.choices[0].message.content,
  usage: answer.usage,
  request: response.headers.get("x-request-id"),
  cost: response.headers.get("x-unigate-cost"),
  tool: call.function.name,
  city: JSON.parse(call.function.arguments).city,
  told: told.choices[0].message.content,
  shaped: JSON.parse(shaped.choices[0].message.content),
  refused: await refused(client.chat.completions.create({ model, messages: hello, n: 0 })),
});
