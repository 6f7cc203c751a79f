// Models: the list, one of them, and one that is not there.

import { client, refused, tell } from "./client.mjs";

const names = [];
for await (const model of client.models.list()) names.push(model.id);

tell({
  names,
  one: (await client.models.retrieve("gpt-4o-mini")).id,
  refused: await refused(client.models.retrieve("no-such-model")),
});
