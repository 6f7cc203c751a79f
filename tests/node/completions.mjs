// Completions: whole with echo and likelihoods, several prompts, streamed.

import { client, refused, tell } from "./client.mjs";

const body = { model: "gpt-3.5-turbo-instruct", prompt: "The best thing about Lyon is", max_tokens: 20 };
const { data: answer, response } = await client.completions.create(body).withResponse();
const echoed = await client.completions.create({ ...body, echo: true, logprobs: 2 });
const several = await client.completions.create({ ...body, prompt: ["One and one is", "Two and two is"], n: 2, best_of: 3 });

const pieces = [];
const options = { stream: true, stream_options: { include_usage: true } };
for await (const piece of await client.completions.create({ ...body, ...options })) pieces.push(piece);

tell({
  text: answer.choices[0].text,
  usage: answer.usage,
  cost: response.headers.get("x-unigate-cost"),
  echoed: echoed.choices[0].text,
  tokens: echoed.choices[0].logprobs.tokens.length,
  several: several.choices.map((choice) => choice.index),
  streamed: pieces.map((piece) => piece.choices[0]?.text ?? "").join(""),
  streamedUsage: pieces.at(-1).usage,
  refused: await refused(client.completions.create({ ...body, n: 0 })),
});
