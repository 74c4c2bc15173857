package dialect

import "strconv"

// The two names of a chat's output cap (openai-openapi, CreateChatCompletionRequest).
const (
	newCapName = "max_completion_tokens"
	oldCapName = "max_tokens"
)

// capChat sets the output cap of a chat where it changes, and brings it under the name
// that the provider knows. There are two names for it, and null stands for an absent one.
func (r *Request) capChat(patches []patch, edit Edit, changed bool) []patch {
	given, old := r.places.outputCap, r.places.oldOutputCap
	// A cap that the provider ignores would be none: more could be generated than is held for.
	unknown := edit.OldOutputCap && r.given(given) && !r.given(old)
	if !changed && !unknown {
		return patches
	}
	outputCap := r.OutputCap
	if changed {
		outputCap = edit.OutputCap
	}
	number := strconv.AppendInt(nil, outputCap, 10)
	switch {
	case r.given(given) || r.given(old):
		if unknown && !old.present() {
			// The member gets another name and is not joined by a second one, as some
			// servers refuse members that they do not know.
			patches = append(patches, patch{r.newCapKey(), []byte(oldCapName)})
		}
		if r.given(given) && changed {
			patches = append(patches, patch{given, number})
		}
		if old.present() && (unknown || r.given(old)) {
			patches = append(patches, patch{old, number})
		}
		return patches
	case edit.OldOutputCap && old.present():
		return append(patches, patch{old, number})
	case !edit.OldOutputCap && given.present():
		return append(patches, patch{given, number})
	}
	name := newCapName
	if edit.OldOutputCap {
		name = oldCapName
	}
	return append(patches, r.insert(r.start(), `"`+name+`":`+string(number)))
}

// newCapKey is where the name max_completion_tokens stands, between its quotes. Names that
// are read are written without escapes, so that it can be found from its value backwards.
func (r *Request) newCapKey() span {
	end := r.places.outputCap.start - 1
	for r.body[end] != '"' { // only white space and the colon are between them
		end--
	}
	return span{end - len(newCapName), end}
}
