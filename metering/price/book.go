package price

import (
	_ "embed"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

//go:generate go run ../../internal/tools/pricebook -sources ../../../shared/prices -out book.json

//go:embed book.json
var embedded []byte

// Embedded is the price book that this build carries; it is read on first use.
func Embedded() *Book { return readEmbedded() }

var readEmbedded = sync.OnceValue(func() *Book {
	book, err := Parse(embedded)
	if err != nil {
		panic("the embedded price book: " + err.Error()) // a test reads it
	}
	return book
})

// Book is a price book. It is immutable and safe for concurrent use.
type Book struct {
	version   string
	providers map[string]*provider
	file      BookFile // what it was read from, all layers together
}

type provider struct {
	names    []string // of models, sorted
	models   map[string]*Model
	byName   map[string]*Model // names and aliases
	prefixes []string
	suffixes []string
}

// Model is an entry of a price book.
type Model struct {
	Provider, Name string
	Aliases        []string
	// The limits are in tokens; 0 = unknown. InputLimit is set where it is less
	// than the context.
	ContextLength, InputLimit, OutputLimit int64
	// InputModalities are the kinds of input that the model takes, as in ModelFile; nil =
	// unknown.
	InputModalities []string
	// Reasons tells that the model can generate billed reasoning that the caller
	// did not explicitly ask for and does not see, so that the visible output of a
	// broken-off response is not all that it cost.
	Reasons  bool
	Note     string
	servedAs []*Model
	periods  []period
}

type period struct {
	file  PeriodFile
	from  time.Time // zero = since ever
	rates *Rates
	hours []hours
}

type hours struct {
	from, until int // minutes of the day, UTC
	days        weekdays
	rates       *Rates
}

// weekdays is a set of days; the zero value is every day.
type weekdays uint8

func (d weekdays) has(day time.Weekday) bool { return d == 0 || d&(1<<day) != 0 }

// Version is the book's date string.
func (b *Book) Version() string { return b.version }

// Providers are the names of the providers, sorted.
func (b *Book) Providers() []string { return slices.Sorted(maps.Keys(b.providers)) }

// Models iterates over the models of a provider, sorted by name.
func (b *Book) Models(provider string) iter.Seq[*Model] {
	return func(yield func(*Model) bool) {
		known, ok := b.providers[provider]
		if !ok {
			return
		}
		for _, name := range known.names {
			if !yield(known.models[name]) {
				return
			}
		}
	}
}

// Find is the entry that prices a model name of a provider: the entry with that
// name or alias, or with the name that is left without a version suffix, so
// that Find("openai", "gpt-5.4-2026-03-05") is gpt-5.4.
func (b *Book) Find(provider, name string) (*Model, bool) {
	known, ok := b.providers[provider]
	if !ok {
		return nil, false
	}
	return known.find(name)
}

func (p *provider) find(name string) (*Model, bool) {
	for _, prefix := range p.prefixes {
		name = strings.TrimPrefix(name, prefix)
	}
	if model, ok := p.byName[name]; ok {
		return model, true
	}
	for _, suffix := range p.suffixes {
		if base, ok := cutVersion(name, suffix); ok {
			if model, ok := p.byName[base]; ok {
				return model, true
			}
		}
	}
	return nil, false
}

// Refine is the entry that prices a call of one name that the provider says it
// answered with another, if the served name refines the called one: the same
// entry, its dated version with an entry of its own (gpt-4o, served as
// gpt-4o-2024-05-13), or a model that the called alias is known to point to.
// Otherwise the called model's price stands and the caller flags the record.
func (b *Book) Refine(provider, called, served string) (*Model, bool) {
	known, ok := b.providers[provider]
	if !ok {
		return nil, false
	}
	calledModel, calledOK := known.find(called)
	servedModel, servedOK := known.find(served)
	if !calledOK || !servedOK {
		return nil, false
	}
	if calledModel == servedModel || slices.Contains(calledModel.servedAs, servedModel) {
		return servedModel, true
	}
	for _, suffix := range known.suffixes {
		if base, ok := cutVersion(served, suffix); ok && known.byName[base] == calledModel {
			return servedModel, true
		}
	}
	return nil, false
}

// At is what the model costs at a moment. It is false before the first period.
func (m *Model) At(at time.Time) (*Rates, bool) {
	at = at.UTC()
	period := m.periodAt(at)
	if period == nil {
		return nil, false
	}
	for _, hours := range period.hours {
		if hours.hold(at) {
			return hours.rates, true
		}
	}
	return period.rates, true
}

// Origin is where a price is from.
type Origin struct {
	From    string `json:"from,omitzero"`    // the first day of the price, absent = since ever
	Until   string `json:"until,omitzero"`   // the first day of the next, if that is known
	Source  string `json:"source"`           // a name of Book.Source, or text
	Checked string `json:"checked,omitzero"` // the day on which the source said so
}

// Origin is where the price at a moment is from. It is false before the first period.
func (m *Model) Origin(at time.Time) (Origin, bool) {
	period := m.periodAt(at.UTC())
	if period == nil {
		return Origin{}, false
	}
	origin := Origin{From: period.file.From, Source: period.file.Source, Checked: period.file.Checked}
	for _, next := range m.periods {
		if next.from.After(period.from) {
			origin.Until = next.file.From
			break
		}
	}
	return origin, true
}

// Source says what the name of a source stands for; the name itself if nothing does.
func (b *Book) Source(name string) string {
	if text := b.file.Sources[name]; text != "" {
		return text
	}
	return name
}

func (m *Model) periodAt(at time.Time) *period {
	for i := len(m.periods) - 1; i >= 0; i-- {
		if !at.Before(m.periods[i].from) {
			return &m.periods[i]
		}
	}
	return nil
}

// minuteAt is the minute of the day of a time in UTC.
func minuteAt(at time.Time) int { return at.Hour()*60 + at.Minute() }

// hold tells whether the hours are those of a moment in UTC.
func (h hours) hold(at time.Time) bool {
	minute, day := minuteAt(at), at.Weekday()
	if h.from < h.until {
		return h.from <= minute && minute < h.until && h.days.has(day)
	}
	yesterday := (day + 6) % 7
	return minute >= h.from && h.days.has(day) || minute < h.until && h.days.has(yesterday)
}

// cutVersion takes a version suffix of the given shape off a name.
func cutVersion(name, shape string) (base string, ok bool) {
	if len(name) <= len(shape) {
		return "", false
	}
	base, suffix := name[:len(name)-len(shape)], name[len(name)-len(shape):]
	month, day := 0, 0
	for i := range len(shape) {
		digit := int(suffix[i]) - '0'
		isDigit := 0 <= digit && digit <= 9
		switch shape[i] {
		case 'Y', 'N':
			ok = isDigit
		case 'M':
			ok, month = isDigit, month*10+digit
		case 'D':
			ok, day = isDigit, day*10+digit
		default:
			ok = suffix[i] == shape[i]
		}
		if !ok {
			return "", false
		}
	}
	hasMonth, hasDay := strings.Contains(shape, "M"), strings.Contains(shape, "D")
	return base, (!hasMonth || 1 <= month && month <= 12) && (!hasDay || 1 <= day && day <= 31)
}
