// Moderation: texts, and text with a picture.

import { client, tell } from "./client.mjs";

const model = "omni-moderation-latest";
const { data: answer, response } = await client.moderations
  .create({ model, input: ["I love you all.", "I will kill him with a knife."] })
  .withResponse();
const parts = [
  { type: "text", text: "What is this?" },
  { type: "image_url", image_url: { url: "https://example.com/picture.png" } },
];
const mixed = await client.moderations.create({ model, input: parts });

tell({
  flagged: answer.results.map((result) => result.flagged),
  violence: answer.results.map((result) => result.category_scores.violence),
  mixed: mixed.results.length,
  cost: response.headers.get("x-unigate-cost"),
});
