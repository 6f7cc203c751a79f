// Realtime: a session in text and in sound, its errors, and a session that a client secret opens.

import net from "node:net";
import { OpenAIRealtimeWS } from "openai/realtime/ws";
import OpenAI from "openai";
import { client, tell } from "./client.mjs";

// The SDK asks for TLS always; the gateway under test is plain.
const options = { createConnection: ({ host, port }) => net.connect(port, host) };

/** What comes of a session with so many responses. */
function talk(by, model, events, until) {
  return new Promise((resolve, reject) => {
    const seen = [];
    const session = new OpenAIRealtimeWS({ model, options }, by);
    session.on("error", () => {});
    session.socket.on("unexpected-response", (request, answer) => {
      request.destroy();
      resolve({ status: answer.statusCode });
    });
    session.socket.on("open", () => events.forEach((event) => session.send(event)));
    session.on("event", (event) => {
      seen.push(event);
      if (event.type === until) session.close();
    });
    session.socket.on("close", (code) => resolve({ code, seen }));
    setTimeout(() => reject(new Error("nothing came")), 60_000).unref();
  });
}

const ask = (text) => [
  { type: "conversation.item.create", item: { type: "message", role: "user", content: [{ type: "input_text", text }] } },
  { type: "response.create" },
];
const text = { type: "session.update", session: { type: "realtime", output_modalities: ["text"] } };
const said = (seen, type) => seen.filter((event) => event.type === type).map((event) => event.delta);

const written = await talk(client, "gpt-realtime", [text, ...ask("[[reply:Hello from here.]]")], "response.done");
const spoken = await talk(client, "gpt-realtime", ask("[[reply:One two three.]]"), "response.done");
const wrong = await talk(client, "gpt-realtime", [{ type: "no.such.event" }], "error");
const unknown = await talk(client, "no-such-model", [], "response.done");

const session = { type: "realtime", model: "gpt-realtime", output_modalities: ["text"] };
const secret = await client.realtime.clientSecrets.create({ session });
const browser = new OpenAI({ apiKey: secret.value, baseURL: client.baseURL });
const bound = await talk(browser, "gpt-realtime", ask("[[reply:Bound.]]"), "response.done");

tell({
  text: said(written.seen, "response.output_text.delta").join(""),
  usage: written.seen.at(-1).response.usage,
  transcript: said(spoken.seen, "response.output_audio_transcript.delta").join(""),
  bytes: said(spoken.seen, "response.output_audio.delta").reduce((sum, part) => sum + Buffer.from(part, "base64").length, 0),
  audio: spoken.seen.at(-1).response.usage.output_token_details.audio_tokens,
  wrong: wrong.seen.at(-1).error,
  unknown: unknown.status,
  secret: secret.value,
  bound: said(bound.seen, "response.output_text.delta").join(""),
});
