package dialect

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"
)

var operations = []Operation{
	chatCompletions, messages, generateContent, completions, responses, compactResponses, countResponses, embeddings, moderations,
	countMessages, countContents, embedContent, embedContents, generateImages, speech,
}

func mustParse(t testing.TB, operation Operation, body string) *Request {
	t.Helper()
	request, err := ParseRequest(operation, "gemini-3.8-flash", false, "", []byte(body))
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return request
}

func TestEditsChangeTheirPlacesOnly(t *testing.T) {
	usage := Edit{IncludeUsage: true}
	lower := Edit{OutputCap: 7}
	old, oldLower := Edit{OldOutputCap: true}, Edit{OutputCap: 7, OldOutputCap: true}
	for name, row := range map[string]struct {
		operation  Operation
		edit       Edit
		body, want string
	}{
		"nothing to do":     {chatCompletions, Edit{Model: "a"}, `{"model": "a","x":1}`, `{"model": "a","x":1}`},
		"model":             {chatCompletions, Edit{Model: "b/c"}, "{ \"x\" : 1.0 ,\t\"model\" : \"a\"\n}", "{ \"x\" : 1.0 ,\t\"model\" : \"b/c\"\n}"},
		"escaped model":     {chatCompletions, Edit{Model: "b"}, `{"model":"\u0061"}`, `{"model":"b"}`},
		"same, but escaped": {chatCompletions, Edit{Model: "a"}, `{"model":"\u0061"}`, `{"model":"\u0061"}`},

		"usage absent":            {chatCompletions, usage, `{"model":"a","stream":true}`, `{"stream_options":{"include_usage":true},"model":"a","stream":true}`},
		"usage null":              {chatCompletions, usage, `{"stream_options":null,"model":"a","stream":true}`, `{"stream_options":{"include_usage":true},"model":"a","stream":true}`},
		"usage empty":             {chatCompletions, usage, `{"model":"a","stream":true,"stream_options":{ }}`, `{"model":"a","stream":true,"stream_options":{"include_usage":true }}`},
		"usage false":             {chatCompletions, usage, `{"model":"a","stream":true,"stream_options":{"include_usage": false, "x":1}}`, `{"model":"a","stream":true,"stream_options":{"include_usage": true, "x":1}}`},
		"usage beside others":     {chatCompletions, usage, `{"model":"a","stream":true,"stream_options":{"include_obfuscation":false}}`, `{"model":"a","stream":true,"stream_options":{"include_usage":true,"include_obfuscation":false}}`},
		"usage asked for":         {chatCompletions, usage, `{"model":"a","stream":true,"stream_options":{"include_usage":true}}`, `{"model":"a","stream":true,"stream_options":{"include_usage":true}}`},
		"usage without a stream":  {chatCompletions, usage, `{"model":"a","stream":false}`, `{"model":"a","stream":false}`},
		"usage is chat's":         {messages, usage, `{"model":"a","stream":true,"max_tokens":9}`, `{"model":"a","stream":true,"max_tokens":9}`},
		"cap absent":              {chatCompletions, lower, `{"model":"a"}`, `{"max_completion_tokens":7,"model":"a"}`},
		"cap absent, old name":    {chatCompletions, oldLower, `{"model":"a"}`, `{"max_tokens":7,"model":"a"}`},
		"cap":                     {chatCompletions, lower, `{"max_completion_tokens": 100,"model":"a"}`, `{"max_completion_tokens": 7,"model":"a"}`},
		"old cap":                 {chatCompletions, lower, `{"max_tokens":100,"model":"a"}`, `{"max_tokens":7,"model":"a"}`},
		"both caps":               {chatCompletions, lower, `{"max_tokens":100,"model":"a","max_completion_tokens":100}`, `{"max_tokens":7,"model":"a","max_completion_tokens":7}`},
		"cap null":                {chatCompletions, lower, `{"max_completion_tokens":null,"model":"a"}`, `{"max_completion_tokens":7,"model":"a"}`},
		"cap beside null":         {chatCompletions, lower, `{"max_completion_tokens":null,"max_tokens":9,"model":"a"}`, `{"max_completion_tokens":null,"max_tokens":7,"model":"a"}`},
		"old cap null":            {chatCompletions, lower, `{"max_tokens":null,"model":"a"}`, `{"max_completion_tokens":7,"max_tokens":null,"model":"a"}`},
		"old cap null, old name":  {chatCompletions, oldLower, `{"max_tokens":null,"model":"a"}`, `{"max_tokens":7,"model":"a"}`},
		"cap, old name":           {chatCompletions, old, `{"max_completion_tokens":100,"model":"a"}`, `{"max_tokens":100,"model":"a"}`},
		"cap, old name, lowered":  {chatCompletions, oldLower, `{"max_completion_tokens":100,"model":"a"}`, `{"max_tokens":7,"model":"a"}`},
		"cap, old name, the same": {chatCompletions, oldLower, `{"max_completion_tokens":7,"model":"a"}`, `{"max_tokens":7,"model":"a"}`},
		"cap, old name, spaces":   {chatCompletions, oldLower, "{\"model\":\"a\",\"max_completion_tokens\" \n:\t 100 }", "{\"model\":\"a\",\"max_tokens\" \n:\t 7 }"},
		"cap null, old name":      {chatCompletions, old, `{"max_completion_tokens":null,"model":"a"}`, `{"max_completion_tokens":null,"model":"a"}`},
		"old cap known":           {chatCompletions, old, `{"max_tokens":100,"model":"a"}`, `{"max_tokens":100,"model":"a"}`},
		"old cap beside null":     {chatCompletions, oldLower, `{"max_completion_tokens":null,"max_tokens":9,"model":"a"}`, `{"max_completion_tokens":null,"max_tokens":7,"model":"a"}`},
		"both known":              {chatCompletions, old, `{"max_completion_tokens":9,"max_tokens":9,"model":"a"}`, `{"max_completion_tokens":9,"max_tokens":9,"model":"a"}`},
		"both lowered, old name":  {chatCompletions, oldLower, `{"max_completion_tokens":9,"max_tokens":9,"model":"a"}`, `{"max_completion_tokens":7,"max_tokens":7,"model":"a"}`},
		"cap beside old null":     {chatCompletions, old, `{"max_completion_tokens":9,"max_tokens":null,"model":"a"}`, `{"max_completion_tokens":9,"max_tokens":9,"model":"a"}`},
		"both, old null, lowered": {chatCompletions, oldLower, `{"max_tokens":null,"max_completion_tokens":9,"model":"a"}`, `{"max_tokens":7,"max_completion_tokens":7,"model":"a"}`},
		"cap known by both names": {chatCompletions, Edit{}, `{"max_completion_tokens":100,"model":"a"}`, `{"max_completion_tokens":100,"model":"a"}`},
		"all at once, old name":   {chatCompletions, Edit{Model: "b", OutputCap: 7, OldOutputCap: true, IncludeUsage: true}, `{"stream":true,"max_completion_tokens":9,"model":"a"}`, `{"stream_options":{"include_usage":true},"stream":true,"max_tokens":7,"model":"b"}`},
		"completions, old name":   {completions, oldLower, `{"model":"a","max_completion_tokens":9,"max_tokens":9}`, `{"model":"a","max_completion_tokens":9,"max_tokens":7}`},
		"messages":                {messages, lower, `{"model":"a","max_tokens":64000}`, `{"model":"a","max_tokens":7}`},
		"Gemini, no settings":     {generateContent, lower, `{"contents":[]}`, `{"generationConfig":{"maxOutputTokens":7},"contents":[]}`},
		"Gemini, nothing at all":  {generateContent, lower, ` {} `, ` {"generationConfig":{"maxOutputTokens":7}} `},
		"Gemini, settings null":   {generateContent, lower, `{"generationConfig":null}`, `{"generationConfig":{"maxOutputTokens":7}}`},
		"Gemini, empty settings":  {generateContent, lower, `{"generationConfig":{}}`, `{"generationConfig":{"maxOutputTokens":7}}`},
		"Gemini, other settings":  {generateContent, lower, `{"generation_config":{"topK":1}}`, `{"generation_config":{"maxOutputTokens":7,"topK":1}}`},
		"Gemini, cap":             {generateContent, lower, `{"generation_config":{"max_output_tokens":99}}`, `{"generation_config":{"max_output_tokens":7}}`},
		"Gemini, cap null":        {generateContent, lower, `{"generationConfig":{"maxOutputTokens":null}}`, `{"generationConfig":{"maxOutputTokens":7}}`},
		"Gemini, model":           {generateContent, Edit{Model: "g"}, `{"model":"models/gemini-3.8-flash"}`, `{"model":"models/g"}`},
		"responses":               {responses, Edit{}, `{"model":"a"}`, `{"store":false,"model":"a"}`},
		"responses, store null":   {responses, Edit{}, `{"model":"a","store":null}`, `{"model":"a","store":false}`},
		"responses, not stored":   {responses, Edit{Model: "b"}, `{"model":"a","store":false}`, `{"model":"b","store":false}`},
		"responses, cap":          {responses, lower, `{"model":"a","store":false}`, `{"max_output_tokens":7,"model":"a","store":false}`},
		"responses, cap null":     {responses, lower, `{"model":"a","store":false,"max_output_tokens":null}`, `{"model":"a","store":false,"max_output_tokens":7}`},
		"responses, searches":     {responses, Edit{}, `{"model":"a","store":false,"tools":[{"type":"web_search"}]}`, `{"max_tool_calls":4,"model":"a","store":false,"tools":[{"type":"web_search"}]}`},
		"responses, few searches": {responses, Edit{}, `{"model":"a","store":false,"max_tool_calls":2,"tools":[{"type":"web_search"}]}`, `{"model":"a","store":false,"max_tool_calls":2,"tools":[{"type":"web_search"}]}`},
		"responses, null calls":   {responses, Edit{}, `{"model":"a","store":false,"max_tool_calls":null,"tools":[{"type":"web_search"}]}`, `{"model":"a","store":false,"max_tool_calls":4,"tools":[{"type":"web_search"}]}`},
		"responses, usage":        {responses, usage, `{"model":"a","store":false,"stream":true}`, `{"model":"a","store":false,"stream":true}`},
		"compact has no cap":      {compactResponses, lower, `{"model":"a"}`, `{"model":"a"}`},
		"completions":             {completions, lower, `{"model":"a","prompt":"x"}`, `{"max_tokens":7,"model":"a","prompt":"x"}`},
		"completions, usage":      {completions, usage, `{"model":"a","stream":true}`, `{"stream_options":{"include_usage":true},"model":"a","stream":true}`},
		"embeddings":              {embeddings, Edit{Model: "b", OutputCap: 7}, `{"model":"a","input":[[1,2]]}`, `{"model":"b","input":[[1,2]]}`},
		"moderation's default":    {moderations, Edit{Model: "b"}, `{"input":"x"}`, `{"model":"b","input":"x"}`},
		"Gemini, embeddings":      {embedContents, Edit{Model: "g"}, `{"requests":[{"model":"models/gemini-3.8-flash"},{"model":"models/gemini-3.8-flash"}]}`, `{"requests":[{"model":"models/g"},{"model":"models/g"}]}`},
		"Gemini, count inside":    {countContents, Edit{Model: "g"}, `{"generateContentRequest":{"model":"models/gemini-3.8-flash"}}`, `{"generateContentRequest":{"model":"models/g"}}`},
		"Gemini, model in path":   {generateContent, Edit{Model: "g"}, `{"contents":[]}`, `{"contents":[]}`},
		"all at once, any order":  {chatCompletions, Edit{Model: "b", OutputCap: 7, IncludeUsage: true}, `{"stream":true,"stream_options":{"a":"é\ud83d"},"max_tokens":9,"model":"a"}`, `{"stream":true,"stream_options":{"include_usage":true,"a":"é\ud83d"},"max_tokens":7,"model":"b"}`},
		"unknown members stay":    {chatCompletions, Edit{Model: "b"}, `{"model":"a","future":{"x":[1e400,-0,"\/"]}, "future2" :1}`, `{"model":"b","future":{"x":[1e400,-0,"\/"]}, "future2" :1}`},
		"same name deeper inside": {chatCompletions, Edit{Model: "b"}, `{"metadata":{"model":"a","Model":"c"},"model":"a"}`, `{"metadata":{"model":"a","Model":"c"},"model":"b"}`},
	} {
		request := mustParse(t, row.operation, row.body)
		pieces, err := request.Body(row.edit)
		got := bytes.Join(pieces, nil)
		if err != nil || string(got) != row.want {
			t.Errorf("%s: got %s, %v; want %s", name, got, err, row.want)
		}
		if row.want == row.body && len(pieces) != 1 {
			t.Errorf("%s: the body was cut though nothing changed", name)
		}
		for i := 0; i < len(pieces); i += 2 {
			if !within(request.body, pieces[i]) {
				t.Errorf("%s: piece %d was copied", name, i)
			}
		}
		if string(request.body) != row.body {
			t.Errorf("%s: the caller's body was changed: %s", name, request.body)
		}
	}
}

// within tells whether a piece is a part of a body, and no copy of one.
func within(body, piece []byte) bool {
	at := cap(body) - cap(piece)
	return at >= 0 && at+len(piece) <= len(body) && (len(piece) == 0 || &body[at] == &piece[0])
}

func TestEditRefusesNamesThatAreNone(t *testing.T) {
	if _, err := mustParse(t, chatCompletions, `{"model":"a"}`).Body(Edit{Model: `b","store":true,"x":"`}); err == nil {
		t.Error("a name that is none was written")
	}
}

// FuzzEdit: an edited body is still a valid one, means what the edit says, and
// decodes to the same value but for the edited members.
func FuzzEdit(f *testing.F) {
	for _, seed := range bodySeeds {
		f.Add([]byte(seed), true, true, true, false)
		f.Add([]byte(seed), false, true, false, true)
	}
	f.Fuzz(func(t *testing.T, body []byte, model, outputCap, includeUsage, old bool) {
		for _, operation := range operations {
			request, err := ParseRequest(operation, "m", true, "", body)
			if err != nil {
				continue
			}
			edit := Edit{IncludeUsage: includeUsage, OldOutputCap: old}
			if model {
				edit.Model = "other-model"
			}
			if outputCap {
				edit.OutputCap = 4321
			}
			pieces, err := request.Body(edit)
			if err != nil {
				t.Fatal(err)
			}
			edited := bytes.Join(pieces, nil)
			pathModel := "m"
			if model {
				pathModel = "other-model"
			}
			again, err := ParseRequest(operation, pathModel, true, "", edited)
			if err != nil {
				t.Fatalf("%q became %q: %v", body, edited, err)
			}
			if model && again.Model != "other-model" || outputCap && request.CanCapOutput() && again.OutputCap != 4321 ||
				includeUsage && (operation.read == readsChat || operation.read == readsCompletions) && again.Stream && !again.IncludeUsage ||
				operation.Name == responses.Name && !again.places.store.present() {
				t.Fatalf("%q became %q: %+v", body, edited, again)
			}
			if !outputCap && again.OutputCap != request.OutputCap || old && operation.read == readsChat && again.OutputCap > 0 && !again.given(again.places.oldOutputCap) {
				t.Fatalf("%q became %q: cap %d", body, edited, again.OutputCap)
			}
			if again.Choices != request.Choices || again.Stream != request.Stream || again.unbounded != request.unbounded || again.images != request.images {
				t.Fatalf("%q became %q: %+v", body, edited, again)
			}
			if before, after := strip(t, body), strip(t, edited); !reflect.DeepEqual(before, after) {
				t.Fatalf("%q became %q: %v is not %v", body, edited, before, after)
			}
		}
	})
}

// strip decodes a body without the members that edits may change, and without the
// objects that hold nothing else.
func strip(t *testing.T, body []byte) map[string]any {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var value map[string]any
	if err := decoder.Decode(&value); err != nil {
		t.Fatalf("%q: %v", body, err)
	}
	for _, name := range []string{"model", "max_tokens", "max_completion_tokens", "max_output_tokens", "max_tool_calls", "store"} {
		delete(value, name)
	}
	for _, request := range asSlice(value["requests"]) {
		if members, ok := request.(map[string]any); ok {
			delete(members, "model")
		}
	}
	for object, names := range map[string][]string{
		"generateContentRequest": {"model"}, "generate_content_request": {"model"},
		"stream_options": {"include_usage"}, "generationConfig": {"maxOutputTokens", "max_output_tokens"}, "generation_config": {"maxOutputTokens", "max_output_tokens"},
	} {
		switch inner := value[object].(type) {
		case nil:
			delete(value, object)
		case map[string]any:
			for _, name := range names {
				delete(inner, name)
			}
			if len(inner) == 0 {
				delete(value, object)
			}
		}
	}
	return value
}

func asSlice(value any) []any {
	slice, _ := value.([]any)
	return slice
}
