package dialect

import (
	"errors"
	"strconv"
)

// Edit is what is changed in a body before it goes to a provider.
type Edit struct {
	// Model is the provider's name for the model; empty leaves the caller's.
	Model string
	// OutputCap is put in place of the caller's, or set where there is none; 0
	// leaves it.
	OutputCap int64
	// OldOutputCap says that the provider knows max_tokens only: a chat's cap has to
	// go by that name, as under the newer one it would be ignored.
	OldOutputCap bool
	// IncludeUsage makes a chat stream report usage.
	IncludeUsage bool
}

var errModelInBody = errors.New("the body cannot name this model")

// patch replaces a part of a body.
type patch struct {
	at   span
	text []byte
}

// Body returns the body with the edit made, in pieces: parts of the caller's body, and
// what is put between them. Nothing of the body is copied, as it may be megabytes, so
// that they are good for as long as the body is.
func (r *Request) Body(edit Edit) ([][]byte, error) {
	if edit.Model != "" && !ValidModelName(edit.Model) {
		return nil, errModelInBody
	}
	patches := make([]patch, 0, 4)
	if edit.Model != "" && edit.Model != r.Model {
		switch {
		case r.Operation.IsForm():
			patches = append(patches, patch{r.places.model, []byte(edit.Model)})
		case r.Operation.Dialect != Google:
			patches = r.setValue(patches, r.places.model, "model", appendString(nil, edit.Model))
		}
		for _, place := range r.places.models {
			patches = append(patches, patch{place, appendString(nil, modelsPrefix+edit.Model)})
		}
	}
	changed := edit.OutputCap > 0 && edit.OutputCap != r.OutputCap && r.CanCapOutput()
	switch {
	case r.Operation.read == readsChat:
		patches = r.capChat(patches, edit, changed)
	case changed:
		patches = r.capOutput(patches, edit.OutputCap)
	}
	if r.Operation.read == readsResponses {
		patches = r.bindResponses(patches)
	}
	if edit.IncludeUsage && r.Stream && !r.IncludeUsage && (r.Operation.read == readsChat || r.Operation.read == readsCompletions) {
		switch {
		case r.places.streamOptionUse.present():
			patches = append(patches, patch{r.places.streamOptionUse, []byte("true")})
		default:
			patches = r.setMember(patches, r.places.streamOptions, "stream_options", `"include_usage":true`)
		}
	}
	return r.apply(patches), nil
}

// capOutput sets the output cap where the dialect has it, but for chat.
func (r *Request) capOutput(patches []patch, outputCap int64) []patch {
	number := strconv.AppendInt(nil, outputCap, 10)
	given := r.places.outputCap
	switch r.Operation.Dialect {
	case Google:
		if given.present() {
			return append(patches, patch{given, number})
		}
		return r.setMember(patches, r.places.settings, "generationConfig", `"maxOutputTokens":`+string(number))
	case Anthropic:
		return append(patches, patch{given, number}) // it is required
	}
	name := "max_output_tokens"
	if r.Operation.read == readsCompletions {
		name = oldCapName
	}
	return r.setValue(patches, given, name, number)
}

// bindResponses says what the provider's own defaults would leave open: that nothing
// is kept, and how often tools run there.
func (r *Request) bindResponses(patches []patch) []patch {
	if r.Operation.Name == responses.Name && !r.given(r.places.store) {
		patches = r.setValue(patches, r.places.store, "store", []byte("false"))
	}
	if r.toolCallsAdded {
		patches = r.setValue(patches, r.places.toolCalls, "max_tool_calls", strconv.AppendInt(nil, standardToolCalls, 10))
	}
	return patches
}

// setValue sets a member of the body, which may be absent or null.
func (r *Request) setValue(patches []patch, at span, name string, value []byte) []patch {
	if at.present() {
		return append(patches, patch{at, value})
	}
	return append(patches, r.insert(r.start(), `"`+name+`":`+string(value)))
}

// given tells whether a member is there and not null.
func (r *Request) given(p span) bool { return p.present() && r.body[p.start] != 'n' }

// start is where the body's object begins.
func (r *Request) start() int {
	s := scanner{data: r.body}
	return s.space(0)
}

// setMember sets a member inside an object member of the body, which may be absent
// or null.
func (r *Request) setMember(patches []patch, object span, name, text string) []patch {
	switch {
	case !object.present():
		return append(patches, r.insert(r.start(), `"`+name+`":{`+text+`}`))
	case r.body[object.start] == '{':
		return append(patches, r.insert(object.start, text))
	}
	return append(patches, patch{object, []byte("{" + text + "}")})
}

// insert adds a member to the object that begins at a byte, before all others.
func (r *Request) insert(object int, text string) patch {
	s := scanner{data: r.body}
	if s.data[s.space(object+1)] != '}' {
		text += ","
	}
	return patch{span{object + 1, object + 1}, []byte(text)}
}

// apply makes the patches, which do not overlap.
func (r *Request) apply(patches []patch) [][]byte {
	// In order of place; few enough for the simplest way.
	for i := range patches {
		for j := i; j > 0 && patches[j].at.start < patches[j-1].at.start; j-- {
			patches[j], patches[j-1] = patches[j-1], patches[j]
		}
	}
	pieces := make([][]byte, 0, 2*len(patches)+1)
	from := 0
	for _, p := range patches {
		pieces = append(pieces, r.body[from:p.at.start], p.text)
		from = p.at.end
	}
	return append(pieces, r.body[from:])
}
