// Embeddings: the SDK's own way (base64 on the wire), floats, and fewer dimensions.

import { client, refused, tell } from "./client.mjs";

const model = "text-embedding-3-small";
const input = ["A cat sat on the mat.", "A cat is sitting on a mat.", "Interest rates rose again."];
const { data: answer, response } = await client.embeddings.create({ model, input }).withResponse();
const floats = await client.embeddings.create({ model, input, encoding_format: "float" });
const short = await client.embeddings.create({ model, input: input[0], dimensions: 256 });
const dot = (a, b) => a.reduce((sum, value, at) => sum + value * b[at], 0);
const [one, alike, other] = answer.data.map((each) => Array.from(each.embedding));

tell({
  sizes: answer.data.map((each) => each.embedding.length),
  same: one.every((value, at) => Math.abs(value - floats.data[0].embedding[at]) < 1e-6),
  norm: dot(one, one),
  alike: dot(one, alike),
  other: dot(one, other),
  short: short.data[0].embedding.length,
  usage: answer.usage,
  cost: response.headers.get("x-unigate-cost"),
  refused: await refused(client.embeddings.create({ model: "no-such-model", input })),
});
