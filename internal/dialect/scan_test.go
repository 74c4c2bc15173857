package dialect

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// check scans a text without interest in any place.
func check(text []byte) *Error {
	s := scanner{data: text, visit: func(field, int, int) *Error { return nil }}
	return s.scan(&place{names: []member{{text: "none"}}})
}

func TestScanTakesWhatIsJSON(t *testing.T) {
	for _, text := range []string{
		`{}`, ` { } `, "\t\r\n{}\n", `{"a":1}`, `{"a":[]}`, `{"a":[[],{}]}`, `{"":{"":[{"":""}]}}`,
		`{"a":-0}`, `{"a":0.5e+10}`, `{"a":1E-2}`, `{"a":[1,2.5,-3,true,false,null,"x"]}`,
		`{"a":"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00\ud83d"}`, `{"é":"日本語 🚀"}`, `{"a":"` + strings.Repeat("x", 100) + `"}`,
		`{"a" : [ 1 , { "b" : "c" } ] , "d" : null }`, `{"a":1,"a":2}`, `{"a":1e999999}`, "{\"a\":\"\x7f\"}",
		`{"a":` + strings.Repeat("[", maxDepth-1) + strings.Repeat("]", maxDepth-1) + `}`,
	} {
		if problem := check([]byte(text)); problem != nil {
			t.Errorf("%s: %v", text, problem)
		}
	}
}

func TestScanRefusesWhatIsNot(t *testing.T) {
	for name, text := range map[string]string{
		"nothing": "", "white space": " \n", "byte order mark": "\xef\xbb\xbf{}", "UTF-16": "{\x00}\x00", "array": `[]`, "string": `"a"`, "null": `null`,
		"open": `{`, "cut key": `{"a`, "cut value": `{"a":"b`, "cut escape": `{"a":"\`, "cut unicode": `{"a":"\u00`, "no colon": `{"a"}`, "no value": `{"a":}`,
		"no comma": `{"a":1 "b":2}`, "trailing comma": `{"a":1,}`, "trailing comma in array": `{"a":[1,]}`, "leading comma": `{,"a":1}`, "two commas": `{"a":[1,,2]}`,
		"wrong bracket": `{"a":[1}]`, "wrong brace": `{"a":{"b":1]}`, "bare key": `{a:1}`, "single quotes": `{'a':1}`, "comment": `{/**/}`,
		"leading zero": `{"a":01}`, "plus": `{"a":+1}`, "dot": `{"a":.5}`, "dot without digit": `{"a":1.}`, "exponent": `{"a":1e}`, "minus": `{"a":-}`, "hex": `{"a":0x10}`,
		"NaN": `{"a":NaN}`, "Infinity": `{"a":-Infinity}`, "True": `{"a":True}`, "tru": `{"a":tru}`, "nulll": `{"a":nulll}`,
		"control in string": "{\"a\":\"\n\"}", "zero in string": "{\"a\":\"12345678\x00\"}", "control in key": "{\"a\t\":1}", "unknown escape": `{"a":"\x41"}`, "bad unicode": `{"a":"\u00g0"}`,
		"trailing data": `{}{}`, "trailing text": `{} x`, "trailing zero": "{}\x00", "vertical tab": "{\v}", "no-break space": "{\u00a0}",
		"overlong": "{\"a\":\"\xc0\xaf\"}", "lone continuation": "{\"a\":\"\x80\"}", "surrogate in UTF-8": "{\"a\":\"\xed\xa0\x80\"}", "Latin-1": "{\"a\":\"caf\xe9\"}", "invalid key": "{\"\xff\":1}",
		"too deep":  `{"a":` + strings.Repeat("[", maxDepth) + strings.Repeat("]", maxDepth) + `}`,
		"very deep": strings.Repeat(`{"a":`, 100_000), "deep arrays": `{"a":` + strings.Repeat("[", 1_000_000),
	} {
		problem := check([]byte(text))
		if problem == nil {
			t.Errorf("%s: taken", name)
			continue
		}
		if problem.Code != CodeInvalidJSON || problem.Status != 400 {
			t.Errorf("%s: %v", name, problem)
		}
	}
}

// Depth counts alike on the ways through places of interest and past them.
func TestScanBoundsDepthAtPlacesToo(t *testing.T) {
	nested := func(n int) []byte {
		return []byte(`{"model":"m","max_tokens":1,"messages":[` + strings.Repeat(`{"content":[`, n) + strings.Repeat(`]}`, n) + `]}`)
	}
	if _, err := ParseRequest(messages, "", false, "", nested(maxDepth)); err == nil {
		t.Error("too deep a message was taken")
	}
	if _, err := ParseRequest(messages, "", false, "", nested(maxDepth/2-2)); err != nil {
		t.Error(err)
	}
}

// standard is the verdict of another parser of the same rules, but that our depth is
// smaller and that we require an object.
func standard(text []byte) bool {
	if !utf8.Valid(text) {
		return false
	}
	decoder := jsontext.NewDecoder(bytes.NewReader(text), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	value, err := decoder.ReadValue()
	if err != nil || value.Kind() != '{' {
		return false
	}
	_, err = decoder.ReadToken()
	return err != nil && err.Error() == "EOF"
}

// What has a meaning in a string is found wherever it is: long strings are read many
// bytes at a time.
func TestScanSeesEachByteOfAString(t *testing.T) {
	for _, length := range []int{1, 7, 8, 9, shortText - 1, shortText, shortText + blockSize + 1, shortText + (fewBlocks+1)*blockSize + 9} {
		for at := range length {
			for _, c := range []string{"\x00", "\x1f", " ", "!", "\"", "#", `\`, "[", "]", `\n`, `\"`, `\\`, `\x`, `\u00e9`, "\x7f", "\x80", "é", "\xff",
				"\xc0\x80", "\xc3", "\xe2\x80", "–", "\xe0\x9f\x80", "\xed\xa0\x80", "😀", "\xf0\x9f\x98", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80"} {
				text := []byte(`{"a":"` + strings.Repeat("x", at) + c + strings.Repeat("x", length-at-1) + `"}`)
				if taken := check(text) == nil; taken != standard(text) {
					t.Fatalf("%q at %d of %d: taken is %v", c, at, length, taken)
				}
			}
		}
	}
}

func depth(text []byte) int {
	deepest, level, inString := 0, 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case !inString && (c == '{' || c == '['):
			level++
			deepest = max(deepest, level)
		case !inString && (c == '}' || c == ']'):
			level--
		}
	}
	return deepest
}

func FuzzScanAgreesWithJSONText(f *testing.F) {
	for _, seed := range bodySeeds {
		f.Add([]byte(seed))
	}
	for _, seed := range []string{`{"a":"\ud83d"}`, `{"a":1e5,"b":[{},[]]}`, "{\"a\":\"\xff\"}", `{"a":"12345678\"","b":"\\"}`, `{} {}`, `{"ſtream":1}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if depth(text) > maxDepth {
			return
		}
		if problem, want := check(text), standard(text); (problem == nil) != want {
			t.Fatalf("%q: ours %v, standard %v", text, problem, want)
		}
		// Whatever is read of a body agrees with what others read in it.
		for _, operation := range operations {
			request, err := ParseRequest(operation, "m", false, "", text)
			if err != nil {
				var problem *Error
				if !errors.As(err, &problem) || problem.Status < 400 {
					t.Fatalf("%q: %v is no refusal", text, err)
				}
				continue
			}
			if !standard(text) {
				t.Fatalf("%q was taken", text)
			}
			if operation.read == readsChat || operation.read == readsMessages || operation.read == readsGenerate {
				agree(t, operation.Dialect, request, text)
			}
		}
	})
}

// agree compares with encoding/json, which folds case and takes the last of twins:
// a body that it reads differently must have been refused.
func agree(t *testing.T, d Dialect, request *Request, text []byte) {
	t.Helper()
	if d == Google {
		var other struct {
			GenerationConfig *struct {
				MaxOutputTokens *int64 `json:"maxOutputTokens"`
				CandidateCount  *int   `json:"candidateCount"`
			} `json:"generationConfig"`
		}
		if err := json.Unmarshal(text, &other); err != nil {
			return // of another type at a place that is not read so
		}
		if g := other.GenerationConfig; g != nil && (g.MaxOutputTokens != nil && *g.MaxOutputTokens != request.OutputCap ||
			g.CandidateCount != nil && *g.CandidateCount != request.Choices) {
			t.Fatalf("%q is read differently: %+v", text, request)
		}
		return
	}
	var other struct {
		Model     string `json:"model"`
		Stream    *bool  `json:"stream"`
		N         *int   `json:"n"`
		MaxTokens *int64 `json:"max_tokens"`
	}
	if err := json.Unmarshal(text, &other); err != nil {
		return
	}
	if other.Model != request.Model || other.Stream != nil && *other.Stream != request.Stream ||
		other.MaxTokens != nil && *other.MaxTokens != request.OutputCap || d == OpenAI && other.N != nil && *other.N != request.Choices {
		t.Fatalf("%q is read differently: %+v", text, request)
	}
}

// bodySeeds are bodies as SDKs send them, and near misses.
var bodySeeds = []string{
	`{"model":"gpt-5.6","messages":[{"role":"user","content":"hi"}],"stream":true,"stream_options":{"include_usage":true}}`,
	`{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}]}],"model":"a","n":2,"max_tokens":5,"max_completion_tokens":5}`,
	`{"model":"claude-opus-5","max_tokens":64000,"messages":[{"role":"user","content":[{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"AAAA"}}]}],"thinking":{"type":"enabled","budget_tokens":2000}}`,
	`{"model":"m","max_tokens":1,"tools":[{"type":"web_search_20250305","name":"web_search","max_uses":3}]}`,
	`{"contents":[{"parts":[{"text":"hi"},{"inlineData":{"mimeType":"image/png","data":"AAAA"}}]}],"generationConfig":{"maxOutputTokens":100,"candidateCount":2,"thinkingConfig":{"thinkingBudget":-1}}}`,
	`{"contents":{"parts":{"text":"hi"}},"generation_config":{"max_output_tokens":9}}`,
	`{"model":"a","mod\u0065l":"b"}`, `{"model":"a","Model":"b"}`, `{"model":"a","stream":true,"ſtream":false}`, `{"model":"a","n":null,"max_tokens":null}`,
	`{"model":"a","stream":true,"stream_options":null}`, `{"model":"a","stream":true,"stream_options":{}}`, `{"model":"a","stream":true,"stream_options":{"include_usage":false,"x":1}}`,
}
