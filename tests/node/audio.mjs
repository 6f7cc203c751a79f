// Speech in each format and in events, and transcripts of it: in JSON, with times, as subtitles, in events.

import { toFile } from "openai";
import { client, refused, tell } from "./client.mjs";

const input = "The quick brown fox jumps. Then it sleeps.";
const voice = "alloy";
const sounds = {};
for (const format of ["mp3", "opus", "aac", "flac", "wav", "pcm"]) {
  const reply = await client.audio.speech.create({ model: "tts-1", input, voice, response_format: format });
  sounds[format] = Buffer.from(await reply.arrayBuffer());
}
const events = await client.audio.speech.create({ model: "gpt-4o-mini-tts", input, voice, stream_format: "sse" });
const said = (await events.text()).split("\n").filter((line) => line.startsWith("data: "));
const file = () => toFile(sounds.mp3, "said.mp3");
const plain = await client.audio.transcriptions.create({ model: "whisper-1", file: await file() });
const timed = await client.audio.transcriptions.create({
  model: "whisper-1",
  file: await file(),
  response_format: "verbose_json",
  timestamp_granularities: ["word", "segment"],
});
const srt = await client.audio.transcriptions.create({ model: "whisper-1", file: await file(), response_format: "srt" });
const stream = await client.audio.transcriptions.create({ model: "gpt-4o-transcribe", file: await file(), stream: true });
let streamed = "";
let usage = null;
for await (const event of stream) {
  if (event.type === "transcript.text.delta") streamed += event.delta;
  if (event.type === "transcript.text.done") usage = event.usage;
}
const english = await client.audio.translations.create({ model: "whisper-1", file: await file() });

tell({
  input,
  sounds: Object.fromEntries(Object.entries(sounds).map(([format, sound]) => [format, sound.toString("base64")])),
  last: JSON.parse(said.at(-1).slice(6)),
  plain: plain.text,
  duration: Number(timed.duration),
  words: timed.words,
  srt,
  streamed,
  usage,
  english: english.text,
  refused: await refused(client.audio.speech.create({ model: "tts-1", input, voice: "nobody" })),
});
