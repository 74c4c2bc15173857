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

// Units counts what is priced by the piece.
type Units struct {
	WebSearch       int64 `json:"web_search,omitempty"`
	WebFetch        int64 `json:"web_fetch,omitempty"`
	FileSearch      int64 `json:"file_search,omitempty"`
	CodeInterpreter int64 `json:"code_interpreter,omitempty"` // containers
	Image           int64 `json:"image,omitempty"`
	Character       int64 `json:"character,omitempty"`
	Millisecond     int64 `json:"millisecond,omitempty"` // of audio
	Page            int64 `json:"page,omitempty"`
}

// Zero tells whether nothing at all was counted.
func (u Usage) Zero() bool { return u == Usage{} }
