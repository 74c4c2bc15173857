package usage

import (
	"bytes"

	"github.com/faregate/faregate/metering/tokens"
)

// responseEvent is what an event of a streamed response is about.
type responseEvent uint8

const (
	eventOther responseEvent = iota
	eventText
	eventReasoning
	eventAudio
	eventItemDone
	eventTerminal
	eventFailed
	eventError
)

// responseEventOf tells events apart by their types. All deltas are of output.
func responseEventOf(name []byte) responseEvent {
	switch string(name) {
	case "response.output_text.delta":
		return eventText
	case "response.output_item.done":
		return eventItemDone
	case "response.completed", "response.incomplete", "response.cancelled":
		return eventTerminal
	case "response.failed":
		return eventFailed
	case "error":
		return eventError
	case "response.audio.delta", "response.output_audio.delta":
		return eventAudio
	}
	switch {
	case !bytes.HasSuffix(name, []byte(".delta")):
		return eventOther
	case bytes.HasPrefix(name, []byte("response.reasoning")):
		return eventReasoning
	}
	return eventText
}

// itemKind is a kind of item of the output, as far as it matters.
type itemKind uint8

const (
	itemCall itemKind = iota // of a function or of a tool that is not charged
	itemMessage
	itemReasoning
	itemWebSearch
	itemXSearch
	itemFileSearch
	itemInterpreter
	itemImage
)

func itemKindOf(name []byte) itemKind {
	switch string(name) {
	case "message":
		return itemMessage
	case "reasoning":
		return itemReasoning
	case "web_search_call":
		return itemWebSearch
	case "x_search_call":
		return itemXSearch
	case "file_search_call":
		return itemFileSearch
	case "code_interpreter_call":
		return itemInterpreter
	case "image_generation_call":
		return itemImage
	}
	return itemCall
}

// responseItem is an item of the output.
type responseItem struct {
	kind      itemKind
	foreign   bool // a message of the caller's, which a compaction repeats
	browsing  bool // a web search that only opens a page or looks through it
	present   bool // it has something that cannot be counted
	container uint64
	text      tokens.Text
	thought   tokens.Text
	media     int64
}

// shows tells whether there is any output in the item. A call is some by itself.
func (i *responseItem) shows() bool {
	switch {
	case i.foreign:
		return false
	case i.kind == itemMessage || i.kind == itemReasoning:
		return i.present || i.text.Bytes+i.thought.Bytes+i.media > 0
	}
	return true
}

// responseOutput is what items of the output hold together.
type responseOutput struct {
	text    tokens.Text
	media   int64
	thought bool
	units   Units

	containers [8]uint64 // the first that were counted
}

func (o *responseOutput) add(i *responseItem) {
	if i.foreign {
		return
	}
	o.text.Join(&i.text)
	o.text.Join(&i.thought)
	o.thought = o.thought || i.thought.Bytes > 0 || i.kind == itemReasoning && i.text.Bytes > 0
	o.media += i.media
	switch i.kind {
	case itemWebSearch:
		if !i.browsing {
			o.units.WebSearch++
		}
	case itemXSearch:
		o.units.XSearch++
	case itemFileSearch:
		o.units.FileSearch++
	case itemInterpreter:
		if o.newContainer(i.container) {
			o.units.CodeInterpreter++
		}
	case itemImage:
		if i.media > 0 {
			o.units.Images++
		}
	}
}

// newContainer tells whether a container has not been seen, as one is charged
// once however many calls run in it.
func (o *responseOutput) newContainer(container uint64) bool {
	if container == 0 {
		return true
	}
	for i, known := range o.containers {
		switch known {
		case container:
			return false
		case 0:
			o.containers[i] = container
			return true
		}
	}
	return true
}

// fingerprint tells names apart without keeping them (FNV-1a).
func fingerprint(name []byte) uint64 {
	hash := uint64(14695981039346656037)
	for _, c := range name {
		hash = (hash ^ uint64(c)) * 1099511628211
	}
	return max(hash, 1)
}
