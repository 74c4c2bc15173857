package usage

// Usage counts what one request consumed, in disjoint priced classes beside the
// two totals. All counts are tokens but Units. The classes
// Input … InputVideo and their cached parts add up to InputTotal; Output,
// OutputAudio, OutputImage and OutputVideo add up to OutputTotal; Reasoning is a part of Output.
type Usage struct {
	InputTotal  int64 `json:"input_total"`
	OutputTotal int64 `json:"output_total"`

	Input          int64 `json:"input,omitempty"` // fresh text, and all that has no class of its own
	CacheRead      int64 `json:"cache_read,omitempty"`
	CacheWrite     int64 `json:"cache_write,omitempty"` // where the provider names no lifetime
	CacheWrite5m   int64 `json:"cache_write_5m,omitempty"`
	CacheWrite1h   int64 `json:"cache_write_1h,omitempty"`
	InputAudio     int64 `json:"input_audio,omitempty"`
	InputImage     int64 `json:"input_image,omitempty"`
	InputVideo     int64 `json:"input_video,omitempty"`
	CacheReadAudio int64 `json:"cache_read_audio,omitempty"` // not in CacheRead
	CacheReadImage int64 `json:"cache_read_image,omitempty"` // not in CacheRead
	CacheReadVideo int64 `json:"cache_read_video,omitempty"` // not in CacheRead

	Output      int64 `json:"output,omitempty"`
	Reasoning   int64 `json:"reasoning,omitempty"` // the part of Output that was reasoning
	OutputAudio int64 `json:"output_audio,omitempty"`
	OutputImage int64 `json:"output_image,omitempty"`
	OutputVideo int64 `json:"output_video,omitempty"`

	Units Units `json:"units,omitzero"`
}

// Units counts what is priced by the piece. What calls of tools return is in the
// tokens of the input besides.
type Units struct {
	WebSearch       int64 `json:"web_search,omitempty"`
	WebFetch        int64 `json:"web_fetch,omitempty"`
	XSearch         int64 `json:"x_search,omitempty"`         // searches of X, by xAI
	FileSearch      int64 `json:"file_search,omitempty"`      // searches of stored files
	CodeInterpreter int64 `json:"code_interpreter,omitempty"` // containers; calls, where no container is named
	Images          int64 `json:"images,omitempty"`           // made
	Characters      int64 `json:"characters,omitempty"`       // of text to be spoken or embedded
	Milliseconds    int64 `json:"milliseconds,omitempty"`     // of audio in the input
	Pages           int64 `json:"pages,omitempty"`            // of documents read
}

// Plus adds what two passes consumed.
func (u Units) Plus(v Units) Units {
	return Units{
		WebSearch: plus(u.WebSearch, v.WebSearch), WebFetch: plus(u.WebFetch, v.WebFetch), XSearch: plus(u.XSearch, v.XSearch),
		FileSearch: plus(u.FileSearch, v.FileSearch), CodeInterpreter: plus(u.CodeInterpreter, v.CodeInterpreter),
		Images: plus(u.Images, v.Images), Characters: plus(u.Characters, v.Characters),
		Milliseconds: plus(u.Milliseconds, v.Milliseconds), Pages: plus(u.Pages, v.Pages),
	}
}

// atLeast is the higher number of each.
func (u Units) atLeast(v Units) Units {
	return Units{
		WebSearch: max(u.WebSearch, v.WebSearch), WebFetch: max(u.WebFetch, v.WebFetch), XSearch: max(u.XSearch, v.XSearch),
		FileSearch: max(u.FileSearch, v.FileSearch), CodeInterpreter: max(u.CodeInterpreter, v.CodeInterpreter),
		Images: max(u.Images, v.Images), Characters: max(u.Characters, v.Characters),
		Milliseconds: max(u.Milliseconds, v.Milliseconds), Pages: max(u.Pages, v.Pages),
	}
}

// orElse is u, and v where that is zero.
func (u Units) orElse(v Units) Units {
	either := func(a, b int64) int64 {
		if a == 0 {
			return max(b, 0)
		}
		return a
	}
	return Units{
		WebSearch: either(u.WebSearch, v.WebSearch), WebFetch: either(u.WebFetch, v.WebFetch), XSearch: either(u.XSearch, v.XSearch),
		FileSearch: either(u.FileSearch, v.FileSearch), CodeInterpreter: either(u.CodeInterpreter, v.CodeInterpreter),
		Images: either(u.Images, v.Images), Characters: either(u.Characters, v.Characters),
		Milliseconds: either(u.Milliseconds, v.Milliseconds), Pages: either(u.Pages, v.Pages),
	}
}

// Zero tells whether nothing at all was counted.
func (u Usage) Zero() bool { return u == Usage{} }
