package usage

import (
	"bytes"
	"encoding/json"
	"math/big"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

// object is a JSON object, read as a whole.
type object map[string]any

func (o object) at(path ...string) any {
	var v any = map[string]any(o)
	for _, name := range path {
		inner, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = inner[name]
	}
	return v
}

func (o object) object(path ...string) object {
	inner, _ := o.at(path...).(map[string]any)
	return inner
}

func (o object) text(path ...string) string {
	text, _ := o.at(path...).(string)
	return text
}

// number is the first of the names that has one above zero.
func (o object) number(names ...string) int64 {
	for _, name := range names {
		if n := floor(o.at(strings.Split(name, ".")...), 1); n > 0 {
			return n
		}
	}
	return 0
}

// floor is a number times a factor, by exact arithmetic.
func floor(v any, times int64) int64 {
	var text string
	switch v := v.(type) {
	case json.Number:
		text = v.String()
	case string:
		text = v
	}
	if len(text) > 20 || strings.ContainsAny(text, "+ _xXpPiInNoObB/") || text == "" || text[0] < '0' || text[0] > '9' {
		return 0
	}
	if i := strings.IndexAny(text, "eE"); i >= 0 && len(text) > i+5 {
		return 0
	}
	n, ok := new(big.Rat).SetString(text)
	if !ok || n.Sign() < 0 {
		return 0
	}
	n.Mul(n, new(big.Rat).SetInt64(times))
	whole := new(big.Int).Quo(n.Num(), n.Denom())
	if !whole.IsInt64() || whole.Int64() > maxCount {
		return maxCount
	}
	return whole.Int64()
}

// documents splits a response, or tells that it is none of ours to judge: not JSON,
// names twice in an object, numbers of a form that no provider sends.
func documents(t *testing.T, o Options, response []byte) (list []object, ok bool) {
	t.Helper()
	var texts [][]byte
	if o.Framing == JSON {
		texts = [][]byte{response}
	} else {
		for _, event := range splitSimply(append(bytes.Clone(response), '\n')) {
			if event.data != "[DONE]" {
				texts = append(texts, []byte(event.data))
			}
		}
	}
	for _, text := range texts {
		if !jsontext.Value(text).IsValid() || oddNumber(text) {
			return nil, false
		}
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber()
		var v any
		if d.Decode(&v) != nil {
			return nil, false
		}
		if naiveAmbiguous(v) {
			return nil, false
		}
		switch v := v.(type) {
		case map[string]any:
			list = append(list, v)
		case []any:
			if o.Format != GeminiGenerate || o.Framing != JSON {
				return nil, false
			}
			for _, element := range v {
				if inner, ok := element.(map[string]any); ok {
					list = append(list, inner)
				}
			}
		default:
			return nil, false
		}
	}
	return list, true
}

// naiveAmbiguous tells whether something stands under two names at once. Then the
// order decides, which this reader does not see.
func naiveAmbiguous(v any) bool {
	inner, ok := v.(map[string]any)
	if !ok {
		return false
	}
	for _, twins := range [][]string{
		naiveDetails[:3], naiveDetails[3:], {"x_groq", "usage"}, {"message", "usage"}, {"response", "usage"}, {"response", "model"},
		{"seconds", "prompt_audio_seconds"}, {"cached_tokens_details", "cached_tokens_details"},
	} {
		found := 0
		for _, name := range twins {
			if _, ok := inner[name]; ok {
				found++
			}
		}
		if found > 1 {
			return true
		}
	}
	for _, member := range inner {
		if naiveAmbiguous(member) {
			return true
		}
	}
	return false
}

// oddNumber tells whether there are long numbers, which are cut off.
func oddNumber(text []byte) bool {
	run := 0
	for _, c := range text {
		if c >= '0' && c <= '9' || c == '.' || c == '-' || c == '+' || c == 'e' || c == 'E' {
			if run++; run > 18 {
				return true
			}
			continue
		}
		run = 0
	}
	return false
}
