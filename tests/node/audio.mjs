// Speech in each format and in events, and what is heard of it: in JSON, with times, by speakers, as text and subtitles, in events.

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
const told = {};
for (const response_format of ["text", "vtt", "json"]) {
  told[response_format] = await client.audio.transcriptions.create({ model: "whisper-1", file: await file(), response_format });
}
const whose = await client.audio.transcriptions.create({
  model: "gpt-4o-transcribe-diarize",
  file: await file(),
  response_format: "diarized_json",
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
const timedEnglish = await client.audio.translations.create({
  model: "whisper-1", file: await file(), response_format: "verbose_json",
});

tell({
  input,
  sounds: Object.fromEntries(Object.entries(sounds).map(([format, sound]) => [format, sound.toString("base64")])),
  last: JSON.parse(said.at(-1).slice(6)),
  plain: plain.text,
  duration: Number(timed.duration),
  words: timed.words,
  srt,
  told,
  speakers: whose.segments.map((segment) => [segment.speaker, segment.start, segment.end, segment.text]),
  streamed,
  usage,
  english: english.text,
  translated: { duration: Number(timedEnglish.duration), segments: timedEnglish.segments },
  unreadable: await refused(
    client.audio.transcriptions.create({ model: "whisper-1", file: await toFile(Buffer.from("no sound"), "a.mp3") }),
  ),
  refused: await refused(client.audio.speech.create({ model: "tts-1", input, voice: "nobody" })),
});
