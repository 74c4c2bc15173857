package dialect

import "testing"

// What a request cannot reach is not held for; what is not known for sure is reachable.
func TestReach(t *testing.T) {
	message := func(members string) string { return `{"model":"a","max_tokens":1,` + members + `}` }
	inputs := Reach{InputAudio: true, InputImage: true, InputVideo: true}
	with := func(r Reach, change func(*Reach)) Reach { change(&r); return r }
	chat := Reach{CacheWrite: true, OutputImage: true}
	generate := Reach{CacheWrite: true, OutputAudio: true, OutputImage: true}
	uncached := with(everything, func(r *Reach) { r.CacheWrite = false })
	anyOf := func(r Reach) Reach {
		return with(r, func(r *Reach) {
			r.InputAudio, r.InputImage, r.InputVideo = inputs.InputAudio, inputs.InputImage, inputs.InputVideo
		})
	}
	for _, row := range []struct {
		operation Operation
		body      string
		want      Reach
	}{
		{chatCompletions, `{"model":"a","messages":[{"role":"user","content":"hi"},{"role":"assistant","content":[{"type":"text","text":"x"},{"type":"refusal","refusal":"y"}],"tool_calls":[{"video":1}]}],"tools":[{"type":"function","function":{"name":"audio","parameters":{"input_audio":1}}}]}`, chat},
		{chatCompletions, `{"model":"a","messages":[{"content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,x"}}]}]}`, with(chat, func(r *Reach) { r.InputImage = true })},
		{chatCompletions, `{"model":"a","messages":[{"content":[{"type":"input_audio","input_audio":{"data":"x","format":"wav"}}]}]}`, with(chat, func(r *Reach) { r.InputAudio = true })},
		{chatCompletions, `{"model":"a","messages":[{"content":[{"image_url":null,"video_url":"http://x"}]}]}`, with(chat, func(r *Reach) { r.InputAudio, r.InputVideo = true, true })},
		{chatCompletions, `{"model":"a","messages":[{"content":[{"type":"file","file":{"file_data":"x"}}]}]}`, anyOf(chat)},
		{chatCompletions, `{"model":"a","messages":[{"content":[{"type":"sound","data":"x"}]}]}`, anyOf(chat)},
		{chatCompletions, `{"model":"a","messages":[{"content":{"sound":"x"}}]}`, anyOf(chat)},
		{chatCompletions, `{"model":"a","messages":[{"content":"x","images":["y"]}]}`, anyOf(chat)},
		{chatCompletions, `{"model":"a","modalities":["text"]}`, Reach{CacheWrite: true}},
		{chatCompletions, `{"model":"a","modalities":[]}`, chat},
		{chatCompletions, `{"model":"a","modalities":null,"audio":null}`, chat},
		{chatCompletions, `{"model":"a","modalities":["text","audio"]}`, Reach{CacheWrite: true, OutputAudio: true}},
		{chatCompletions, `{"model":"a","audio":{"voice":"x"},"modalities":["text"]}`, Reach{CacheWrite: true, OutputAudio: true}},
		{chatCompletions, `{"model":"a","modalities":["text"],"audio":{"voice":"x"}}`, Reach{CacheWrite: true, OutputAudio: true}},
		{chatCompletions, `{"model":"a","modalities":["image","smell"]}`, Reach{CacheWrite: true, OutputAudio: true, OutputImage: true}},

		{messages, message(`"messages":[{"role":"user","content":"cache_control"}],"tools":[{"name":"cache","input_schema":{}}]`), uncached},
		{messages, message(`"cache_control":{"type":"ephemeral"}`), everything},
		{messages, message(`"system":[{"type":"text","text":"x","cache_control":{"type":"ephemeral","ttl":"1h"}}]`), everything},
		{messages, message(`"messages":[{"content":[{"type":"tool_result","content":[{"Cache_Control":{}}]}]}]`), everything},
		{messages, message(`"tools":[{"name":"a","cach\u0065_control":{}}]`), everything},
		{messages, message(`"auto_caching":true`), everything},
		{messages, message(`"tools":[{"type":"web_search_20250305","name":"web_search","max_uses":1}]`), everything},

		{generateContent, `{"contents":[{"role":"user","parts":[{"text":"hi"},{"functionCall":{"audio":1}},{"thought_signature":"x"}]}],"systemInstruction":{"parts":{"text":"x"}}}`, generate},
		{generateContent, `{"contents":[{"parts":[{"inlineData":{"mimeType":"audio/wav","data":"x"}}]}]}`, with(generate, func(r *Reach) { r.InputAudio = true })},
		{generateContent, `{"contents":[{"parts":[{"inline_data":{"mime_type":"image/png","data":"x"}}]}]}`, with(generate, func(r *Reach) { r.InputImage = true })},
		{generateContent, `{"contents":[{"parts":[{"inlineData":{"mimeType":"text/plain","data":"x"}}]}]}`, generate},
		{generateContent, `{"contents":[{"parts":[{"inlineData":{"data":"x"}}]}]}`, anyOf(generate)},
		{generateContent, `{"contents":[{"parts":[{"inlineData":{"mimeType":"video/mp4","data":"x"}}]}]}`, anyOf(generate)},
		{generateContent, `{"contents":[{"parts":[{"fileData":{"mimeType":"image/png","fileUri":"https://x.example"}}]}]}`, anyOf(generate)},
		{generateContent, `{"contents":[{"parts":[{"functionResponse":{"parts":[{"inlineData":{"mimeType":"audio/wav","data":"x"}}]}}]}]}`, with(generate, func(r *Reach) { r.InputAudio = true })},
		{generateContent, `{"contents":[{"parts":[{"sound":"x"}]}]}`, anyOf(generate)},
		{generateContent, `{"contents":[{"media":"x"}]}`, anyOf(generate)},
		{generateContent, `{"generationConfig":{"responseModalities":["TEXT"]}}`, Reach{CacheWrite: true}},
		{generateContent, `{"generationConfig":{"response_modalities":["TEXT","IMAGE"]}}`, Reach{CacheWrite: true, OutputImage: true}},
		{generateContent, `{"generationConfig":{"responseModalities":"AUDIO"}}`, Reach{CacheWrite: true, OutputAudio: true}},
		{generateContent, `{"generationConfig":{"responseModalities":[3]}}`, generate},
	} {
		if got := mustParse(t, row.operation, row.body).Reach; got != row.want {
			t.Errorf("%s\nreaches %+v\nwant    %+v", row.body, got, row.want)
		}
	}
}

func TestReasoningAskedForOrTurnedOff(t *testing.T) {
	for _, row := range []struct {
		operation  Operation
		body       string
		asked, off bool
	}{
		{chatCompletions, `{"model":"a"}`, false, false},
		{chatCompletions, `{"model":"a","reasoning_effort":"none"}`, false, true},
		{chatCompletions, `{"model":"a","reasoning_effort":"low"}`, true, false},
		{chatCompletions, `{"model":"a","thinking":{"type":"disabled"}}`, false, true},
		{chatCompletions, `{"model":"a","reasoning_effort":null,"thinking":{"type":"enabled"}}`, true, false},
		{chatCompletions, `{"model":"a","reasoning_effort":"none","thinking":{"type":"enabled"}}`, true, true},
		{chatCompletions, `{"model":"a","reasoning":{"effort":"high","exclude":true}}`, true, false},
		{chatCompletions, `{"model":"a","reasoning":{"effort":"none","max_tokens":null,"enabled":false}}`, false, true},
		{chatCompletions, `{"model":"a","reasoning":{"max_tokens":2000}}`, true, false},
		{chatCompletions, `{"model":"a","reasoning":{"enabled":true}}`, true, false},
		{chatCompletions, `{"model":"a","extra_body":{"google":{"thinking_config":{"thinking_budget":-1}}}}`, true, false},
		{chatCompletions, `{"model":"a","google":{"thinking_config":{"thinking_budget":0}}}`, false, true},
		{responses, `{"model":"a"}`, false, false},
		{responses, `{"model":"a","reasoning":null}`, false, false},
		{responses, `{"model":"a","reasoning":{"effort":null,"summary":null}}`, false, false},
		{responses, `{"model":"a","reasoning":{"effort":"none"}}`, false, true},
		{responses, `{"model":"a","reasoning":{"effort":"minimal"}}`, true, false},
		{responses, `{"model":"a","reasoning":{"summary":"auto"}}`, true, false},
		{messages, `{"model":"a","max_tokens":1,"thinking":{"type":"disabled"}}`, false, true},
		{messages, `{"model":"a","max_tokens":1,"thinking":{"type":"adaptive"}}`, true, false},
		{messages, `{"model":"a","max_tokens":1,"thinking":{"type":"enabled","budget_tokens":1024}}`, true, false},
		{messages, `{"model":"a","max_tokens":1,"thinking":null}`, false, false},
		{messages, `{"model":"a","max_tokens":1}`, false, false},
		{generateContent, `{"generationConfig":{"thinkingConfig":{"thinkingBudget":0}}}`, false, true},
		{generateContent, `{"generationConfig":{"thinkingConfig":{"thinkingBudget":-1}}}`, true, false},
		{generateContent, `{"generationConfig":{"thinkingConfig":{"thinkingBudget":null}}}`, false, false},
	} {
		if r := mustParse(t, row.operation, row.body); r.AsksReasoning != row.asked || r.NoReasoning != row.off {
			t.Errorf("%s: asked %t, off %t", row.body, r.AsksReasoning, r.NoReasoning)
		}
	}
}
