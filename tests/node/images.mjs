// Pictures: made in each format, shown as they come about, worked on by several and a mask, varied.

import { readFileSync } from "node:fs";
import { toFile } from "openai";
import { client, refused, tell } from "./client.mjs";

const model = "gpt-image-1";
const quality = "low";
const png = (name, title) => toFile(readFileSync(new URL(name, `file://${process.env.PICTURES}/`)), title, { type: "image/png" });
const kinds = {};
for (const output_format of ["png", "jpeg", "webp"]) {
  const made = await client.images.generate({ model, prompt: "a fox", n: 2, quality, size: "1536x1024", output_format });
  kinds[output_format] = { pictures: made.data.map((one) => one.b64_json), usage: made.usage, size: made.size };
}
const named = await client.images.generate({ model: "dall-e-3", prompt: "a fox", quality: "hd", size: "1024x1792" });

const events = [];
for await (const event of await client.images.generate({ model, prompt: "a fox", quality, stream: true, partial_images: 2 })) {
  events.push({ type: event.type, picture: event.b64_json, usage: event.usage });
}
const image = [await png("one.png", "one.png"), await png("two.png", "two.png")];
const edited = await client.images.edit({ model, image, mask: await png("mask.png", "mask.png"), prompt: "a hen", quality });
const edits = [];
for await (const event of await client.images.edit({ model, image: image[0], prompt: "a hen", quality, stream: true })) {
  edits.push(event.type);
}
const varied = await client.images.createVariation({
  model: "dall-e-2", image: await png("one.png", "one.png"), n: 2, size: "256x256", response_format: "b64_json",
});

tell({
  kinds,
  url: named.data[0].url,
  events,
  edited: { picture: edited.data[0].b64_json, usage: edited.usage },
  edits,
  varied: varied.data.map((one) => one.b64_json),
  refused: await refused(client.images.generate({ model, prompt: "a fox", size: "10x10" })),
  wrongMask: await refused(
    client.images.edit({ model, image: image[0], mask: await png("small.png", "mask.png"), prompt: "a hen" }),
  ),
});
