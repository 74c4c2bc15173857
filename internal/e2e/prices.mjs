// What @pydantic/genai-prices says that usages cost: a line of JSON for each line.
import { createInterface } from 'node:readline';
import { calcPrice } from '@pydantic/genai-prices';

for await (const line of createInterface({ input: process.stdin })) {
  const { provider, model, at, usage } = JSON.parse(line);
  let answer;
  try {
    const priced = calcPrice(usage, model, { providerId: provider, timestamp: new Date(at) });
    answer = priced ? { known: true, cost: priced.total_price, entry: priced.model.id } : { known: false };
  } catch (error) {
    answer = { known: true, error: error.message };
  }
  console.log(JSON.stringify(answer));
}
