// What the SDK scripts have in common: they read one call per line from
// standard input and print one line of JSON, the SDK's view of the answer.
import readline from 'node:readline';

export const { BASE_URL, API_KEY } = process.env;

// runs is the tool of a call's turn: it notes what it was asked, and has one answer.
export const runs = (call, view) => (asked) => {
  view.tools = [...(view.tools ?? []), { name: 'weather', arguments: asked }];
  return call.params.result;
};

export async function answerCalls(perform) {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const call = JSON.parse(line);
    const view = { requests: 0, ids: [], header: {}, chunks: [] };
    // Counts what the SDK really sends, retries too.
    const counted = async (...request) => {
      view.requests++;
      const response = await fetch(...request);
      view.header = Object.fromEntries(response.headers);
      view.ids.push(view.header['faregate-request-id']);
      return response;
    };
    try {
      await perform(call, view, counted);
    } catch (error) {
      view.error = {
        class: error?.name?.startsWith('AI_') ? error.name : error?.constructor?.name,
        status: error?.status ?? 0,
        code: String(error?.code ?? error?.data?.error?.code ?? ''),
        type: error?.type ?? '',
        request_id: error?.requestID ?? '',
        message: String(error?.message),
      };
    }
    process.stdout.write(JSON.stringify(view) + '\n');
  }
}
