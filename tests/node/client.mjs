// The SDK on one gateway or on several in turn, and the way in which a script tells what it saw.
// Called as: node SCRIPT.mjs KEY ORIGIN...

import OpenAI from "openai";

const [key, ...origins] = process.argv.slice(2);
let turn = 0;

/** Sends each request to the next gateway. */
function alternating(input, init) {
  const url = new URL(input);
  const to = new URL(origins[turn++ % origins.length]);
  url.host = to.host;
  return fetch(url, init);
}

/** The SDK, without its own retries so that nothing is hidden. */
export const client = new OpenAI({ apiKey: key, baseURL: `${origins[0]}/v1`, maxRetries: 0, fetch: alternating });

/** Whatever an error of the SDK says of itself. */
export async function refused(call) {
  try {
    await call;
  } catch (error) {
    return { name: error.constructor.name, status: error.status, code: error.code, id: error.requestID };
  }
  return null;
}

/** Prints what the test is to look at. */
export function tell(seen) {
  console.log(JSON.stringify(seen));
}
