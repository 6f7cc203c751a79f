// Replicate's SDK: run, wait, poll, stream, files, refusals, cancel, lists, models, and callbacks that it trusts.
// Called as: node replicate.mjs KEY ORIGIN HOOK PHOTO: an address that receives callbacks, and a PNG in base64.

import Replicate, { validateWebhook } from "replicate";

const [auth, origin, hook, photo] = process.argv.slice(2);
const picture = new Blob([Buffer.from(photo, "base64")], { type: "image/png" });
const replicate = new Replicate({ auth, baseUrl: `${origin}/replicate/v1`, useFileOutput: false });

/** Reaches the gateway as a proxy in front of it does that ends TLS: the SDK makes objects of `https:` outputs only. */
function proxied(input, init = {}) {
  const headers = new Headers(init.headers);
  headers.set("x-forwarded-proto", "https");
  return fetch(String(input).replace(/^https:/, "http:"), { ...init, headers });
}

const files = new Replicate({ auth, baseUrl: `${origin}/replicate/v1`, fetch: proxied });
const model = "black-forest-labs/flux-schnell";
const fast = { sandbox: "[[speed:200]]", megapixels: "0.25" };
const input = { prompt: "a fox", ...fast };

/** What an error of the SDK says of itself. */
async function refused(call) {
  try {
    await call;
  } catch (error) {
    return { name: error.name, status: error.response?.status ?? null, message: String(error.message).slice(0, 300) };
  }
  return null;
}

const blocked = await replicate.run(model, { input });
const polled = await replicate.run(model, { input, wait: { mode: "poll", interval: 50 } });
const seen = [];
const versions = (await replicate.models.versions.list("stability-ai", "sdxl")).results;
const named = await replicate.run(
  `stability-ai/sdxl:${versions[0].id}`,
  { input: { prompt: "a fox", width: 64, height: 64, ...fast } },
  (prediction) => seen.push(prediction.status),
);
const output = (await files.run(model, { input: { ...input, output_format: "png" } }))[0];
const url = String(output.url());
const bytes = Buffer.from(await (await output.blob()).arrayBuffer());

const late = await replicate.predictions.create({
  model,
  input: { prompt: "a fox [[speed:1]]", megapixels: "0.25" },
  wait: 1,
});
const ended = await replicate.wait(late, { interval: 100 });

const events = [];
for await (const event of replicate.stream(model, { input: { ...input, num_outputs: 2 } })) {
  events.push({ event: event.event, data: event.data });
}

const file = await replicate.files.create(picture, { from: "node" });
const cut = await replicate.run("cjwbw/rembg", { input: { image: file.urls.get, ...fast } });
const uploaded = await replicate.run("cjwbw/rembg", { input: { image: picture, ...fast } });
const listed = (await replicate.files.list()).results.map((one) => one.id);
const got = await replicate.files.get(file.id);
const deleted = await replicate.files.delete(file.id);

const stuck = await replicate.predictions.create({ model, input: { prompt: "x [[fault:stuck]]" } });
await replicate.predictions.cancel(stuck.id);
const canceled = await replicate.wait(stuck, { interval: 50 });

const told = await replicate.predictions.create({ model, input, webhook: hook, webhook_events_filter: ["completed"] });
let calls = [];
for (let tries = 0; tries < 600 && calls.length === 0; tries++) {
  await new Promise((resolve) => setTimeout(resolve, 50));
  calls = (await (await fetch(hook)).json()).data;
}
const { key: secret } = await replicate.webhooks.default.secret.get();
const call = calls[0];
const headers = new Headers(call.headers);

const predictions = [];
for await (const page of replicate.paginate(replicate.predictions.list)) predictions.push(...page.map((one) => one.id));

console.log(
  JSON.stringify({
    blocked,
    polled,
    named,
    seen,
    output: { url, bytes: bytes.toString("base64") },
    late: { status: late.status, ended: ended.status, output: ended.output },
    events,
    file: { id: file.id, url: file.urls.get, same: got.id === file.id, listed: listed.includes(file.id), deleted },
    cut,
    uploaded,
    canceled: canceled.status,
    webhook: {
      trusted: await validateWebhook({ headers, body: call.text }, secret),
      forged: await validateWebhook({ headers, body: call.text + " " }, secret),
      names: JSON.parse(call.text).id === told.id,
      calls: calls.length,
    },
    listed: predictions.includes(told.id) && predictions.includes(stuck.id),
    account: (await replicate.accounts.current()).type,
    model: (await replicate.models.get("cjwbw", "rembg")).name,
    failed: await refused(replicate.run(model, { input: { prompt: "x [[nsfw]]", ...fast } })),
    unfit: await refused(replicate.run(model, { input: { prompt: "x", num_outputs: "two" } })),
    nobody: await refused(
      new Replicate({ auth: "sk-nobody", baseUrl: `${origin}/replicate/v1` }).predictions.get(told.id),
    ),
    gone: await refused(replicate.files.get(file.id)),
  }),
);
