package price

// The file format of a price book, version 1. The generator writes it with
// these types, so that it cannot drift from what Parse reads.

// BookFile is a whole price book.
type BookFile struct {
	Format int `json:"format"` // 1
	// Version is the book's date, "2026-11-23", with a suffix if a day has
	// several ("2026-11-23.2"). Usage records carry it.
	Version string `json:"version"`
	Note    string `json:"note,omitzero"`
	// Complete says that nothing of another book is meant to show through where
	// this one is laid over it.
	Complete bool `json:"complete,omitzero"`
	// Sources says what the periods' source names stand for.
	Sources   map[string]string       `json:"sources"`
	Providers map[string]ProviderFile `json:"providers"`
}

// ProviderFile is the models of one provider.
type ProviderFile struct {
	// Prefixes are what a name may carry in front and mean the same: "models/".
	Prefixes []string `json:"prefixes,omitzero"`
	// VersionSuffixes are the shapes of a version behind a model's name, such as
	// "-YYYY-MM-DD"; Y, M, D and N stand for digits. A name with such a suffix and
	// no entry of its own belongs to the name without it.
	VersionSuffixes []string             `json:"version_suffixes,omitzero"`
	Models          map[string]ModelFile `json:"models"`
}

// ModelFile is one model.
type ModelFile struct {
	Aliases []string `json:"aliases,omitzero"`
	// ServedAs are other models of this provider that a call of this one may be
	// answered by, and is then priced as: what a moving alias points to.
	ServedAs      []string `json:"served_as,omitzero"`
	ContextLength int64    `json:"context_length,omitzero"` // tokens; absent = unknown
	InputLimit    int64    `json:"input_limit,omitzero"`    // tokens, where less than the context
	OutputLimit   int64    `json:"output_limit,omitzero"`   // tokens; absent = unknown
	// InputModalities are the kinds of input that the model takes: "text", "image",
	// "audio", "video", "pdf"; absent = unknown.
	InputModalities []string `json:"input_modalities,omitzero"`
	// Reasoning says that the model can generate billed reasoning that the caller
	// did not ask for and does not see.
	Reasoning bool   `json:"reasoning,omitzero"`
	Note      string `json:"note,omitzero"`
	// Periods ascend; the last whose From is not after the request's start holds.
	Periods []PeriodFile `json:"periods"`
}

// PeriodFile is what a model costs from a day on.
type PeriodFile struct {
	// From is the first day, from 00:00 UTC; absent = since ever.
	From string `json:"from,omitzero"`
	// Checked is the day of the source; Source a name of BookFile.Sources, or text.
	Checked    string `json:"checked"`
	Source     string `json:"source"`
	Definition `json:",inline"`
	// Hours replace prices and tiers at a time of day.
	Hours []HoursFile `json:"hours,omitzero"`
}

// HoursFile is what a model costs from From until before Until, "15:04" UTC;
// over midnight if Until is not after From.
type HoursFile struct {
	// Days are the days (in UTC) on which the hours begin, "mon" to "sun"; absent =
	// every day.
	Days   []string          `json:"days,omitzero"`
	From   string            `json:"from"`
	Until  string            `json:"until"`
	Prices map[string]string `json:"prices"`
	Tiers  []Tier            `json:"tiers,omitzero"`
}
