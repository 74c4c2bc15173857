package price_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/faregate/faregate/metering/price"
)

// baseBook is what files are laid over in these tests.
func baseBook(t testing.TB) *price.Book {
	t.Helper()
	base, err := price.Parse([]byte(`{"format": 1, "version": "2026-01-01", "sources": {"s": "a page"}, "providers": {
		"p": {"version_suffixes": ["-YYYY"], "models": {
			"one": {"aliases": ["uno", "first"], "context_length": 1000, "output_limit": 100, "reasoning": true, "note": "as it was", "periods": [` + onePeriod + `]},
			"two": {"served_as": ["one", "three"], "periods": [` + onePeriod + `]},
			"three": {"periods": [` + onePeriod + `]}}},
		"q": {"models": {"one": {"periods": [` + onePeriod + `]}}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	return base
}

// over lays models of the provider p over the base.
func over(t testing.TB, models string) *price.Book {
	t.Helper()
	book, err := price.Over(baseBook(t), []byte(oneModel(models)))
	if err != nil {
		t.Fatal(err)
	}
	return book
}

const dear = `{"checked": "2026-01-01", "source": "our contract", "prices": {"input": "9", "output": "9"}}`

// named tells which entry a name leads to, and what a thousand tokens cost there.
func named(book *price.Book, provider, name string) string {
	model, found := book.Find(provider, name)
	if !found {
		return "none"
	}
	rates, _ := model.At(november)
	return model.Name + " " + rates.Cost(plain(1000, 0), price.Conditions{}).String()
}

func TestFileIsLaidOverTheBook(t *testing.T) {
	for _, c := range []struct {
		what, models string
		want         map[string]string
	}{
		{"a price", `"one": {"periods": [` + dear + `]}`, map[string]string{"one": "one 0.009", "uno": "one 0.009", "one-2026": "one 0.009", "two": "two 0.001"}},
		{"a model", `"four": {"aliases": ["fourth"], "periods": [` + dear + `]}`, map[string]string{"four": "four 0.009", "fourth-2026": "four 0.009", "one": "one 0.001"}},
		{"an alias of another entry", `"four": {"aliases": ["uno"], "periods": [` + dear + `]}`, map[string]string{"uno": "four 0.009", "first": "one 0.001", "one": "one 0.001"}},
		{"an alias as an entry", `"uno": {"periods": [` + dear + `]}`, map[string]string{"uno": "uno 0.009", "one": "one 0.001"}},
		{"the name of another entry as an alias", `"four": {"aliases": ["three"], "periods": [` + dear + `]}`, map[string]string{"three": "four 0.009", "two": "two 0.001"}},
		{"an entry and its alias apart", `"one": {"periods": [` + dear + `]}, "uno": {"periods": [` + onePeriod + `]}`, map[string]string{"one": "one 0.009", "uno": "uno 0.001", "first": "one 0.009"}},
		{"an entry that is served as one below", `"four": {"served_as": ["one"], "periods": [` + dear + `]}`, map[string]string{"four": "four 0.009"}},
	} {
		book := over(t, c.models)
		for name, want := range c.want {
			if got := named(book, "p", name); got != want {
				t.Errorf("%s: %s leads to %s, want %s", c.what, name, got, want)
			}
		}
		if got := named(book, "q", "one"); got != "one 0.001" {
			t.Errorf("%s: another provider's model is %s", c.what, got)
		}
	}
	book := over(t, `"one": {"output_limit": 50, "periods": [`+dear+`]}, "new": {"aliases": ["three"], "periods": [`+dear+`]}`)
	model, _ := book.Find("p", "one")
	if model.ContextLength != 1000 || model.OutputLimit != 50 || !model.Reasons || model.Note != "as it was" || !slices.Equal(model.Aliases, []string{"uno", "first"}) {
		t.Errorf("of what the file does not say this is left: %+v", model)
	}
	if _, refined := book.Refine("p", "two", "one"); !refined {
		t.Error("two is no longer served as one")
	}
	if _, refined := book.Refine("p", "two", "new"); refined {
		t.Error("two is served as what took the name of three")
	}
}

func TestVersionTellsWhichFileOverWhichBook(t *testing.T) {
	base := baseBook(t)
	one := oneModel(`"one": {"periods": [` + dear + `]}`)
	layered, err := price.Over(base, []byte(one))
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`^2026-01-01@[0-9a-f]{8}\+2026-01-01$`).MatchString(layered.Version()) {
		t.Errorf("the version is %s", layered.Version())
	}
	edited, err := price.Over(base, []byte(one+"\n"))
	if err != nil || edited.Version() == layered.Version() {
		t.Errorf("an edited file has the same version %s (%v)", layered.Version(), err)
	}
	complete, err := price.Over(base, []byte(strings.Replace(one, `"format": 1`, `"format": 1, "complete": true`, 1)))
	if err != nil || strings.Contains(complete.Version(), "+") {
		t.Errorf("a complete book has the version %s (%v)", complete.Version(), err)
	}
	if got := complete.Providers(); !slices.Equal(got, []string{"p"}) || named(complete, "p", "uno") != "none" || named(complete, "p", "one") != "one 0.009" {
		t.Errorf("through a complete book others show: %v", got)
	}
}

func TestMistakesOfALayeredFileAreItsOwn(t *testing.T) {
	base := baseBook(t)
	for _, c := range []struct {
		book, place string
		line        int
	}{
		{oneModel("\n" + `"one": {"periods": [` + "\n" + strings.Replace(dear, `"9"`, `"nine"`, 1) + `]}`), "/providers/p/models/one/periods/0/prices/input", 3},
		{oneModel(`"four": {"served_as": ["nobody"], "periods": [` + dear + `]}`), "/providers/p/models/four/served_as/0", 1},
		{oneModel(`"one": {"output_limit": 5}`), "/providers/p/models/one/periods", 1}, // nothing but prices is a reason for a file
		{oneModel(`"four": {"aliases": ["f"], "periods": [` + dear + `]}, "five": {"aliases": ["f"], "periods": [` + dear + `]}`), "/providers/p/models/four/aliases/0", 1},
		{`{"format": 1, "version": "2026-01-01", "sources": {}, "providers": {"p": {"models": {}}}}`, "/providers/p/models", 1},
		{strings.Replace(oneModel(`"one": {"periods": [`+dear+`]}`), "2026-01-01", "2026-01-01+x", 1), "/version", 1},
	} {
		problems := price.CheckOver(base, []byte(c.book))
		if len(problems) != 1 || problems[0].Place != c.place || problems[0].Line != c.line {
			t.Errorf("found %v, want one at %s in line %d", problems, c.place, c.line)
		}
		if _, err := price.Over(base, []byte(c.book)); !errors.Is(err, price.ErrBook) {
			t.Errorf("Over says %v, want ErrBook", err)
		}
	}
}

// The price file that the documents show is one.
func TestDocumentedPriceFile(t *testing.T) {
	document, err := os.ReadFile("../../docs/prices.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(document), "```json\n")
	text, _, closed := strings.Cut(text, "```")
	if !closed {
		t.Fatal("the document shows no price file")
	}
	book, err := price.Over(price.Embedded(), []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if got := named(book, "house", "large"); got != "large-2 0.0005" {
		t.Errorf("the house model is %s", got)
	}
	if got := named(book, "openai", "gpt-5.4-2026-03-05"); got != "gpt-5.4 0.002" {
		t.Errorf("gpt-5.4 is %s", got)
	}
}

func TestExportIsReadBackAsTheSamePrices(t *testing.T) {
	base := price.Embedded()
	data, err := base.Export()
	if err != nil {
		t.Fatal(err)
	}
	if string(data) != string(bookBytes(t)) {
		t.Error("the embedded book is exported as something else")
	}
	again, err := price.Over(base, data)
	if err != nil {
		t.Fatal(err)
	}
	layered := over(t, `"one": {"periods": [`+dear+`]}`)
	exported, err := layered.Export()
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := price.Parse(exported)
	if err != nil {
		t.Fatal(err)
	}
	for _, pair := range [][2]*price.Book{{base, again}, {layered, parsed}} {
		models := 0
		for _, provider := range pair[0].Providers() {
			for model := range pair[0].Models(provider) {
				models++
				other, found := pair[1].Find(provider, model.Name)
				if !found {
					t.Fatalf("%s of %s is lost", model.Name, provider)
				}
				if got, want := strings.Join(other.Explain(november), "\n"), strings.Join(model.Explain(november), "\n"); got != want {
					t.Errorf("%s became\n%s\nfrom\n%s", model.Name, got, want)
				}
			}
		}
		if models == 0 {
			t.Error("no models")
		}
	}
}

func TestSourceFollowsItsFile(t *testing.T) {
	base := baseBook(t)
	path := filepath.Join(t.TempDir(), "prices.json")
	modified := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		modified = modified.Add(time.Second)
		if err := os.Chtimes(path, modified, modified); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := price.NewSource(base, path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without a file: %v", err)
	}
	write("{")
	if _, err := price.NewSource(base, path); !errors.Is(err, price.ErrBook) || !strings.Contains(err.Error(), path) {
		t.Errorf("a broken file: %v", err)
	}
	first := oneModel(`"one": {"periods": [` + dear + `]}`)
	write(first)
	source, err := price.NewSource(base, path)
	if err != nil {
		t.Fatal(err)
	}
	expect := func(what string, wantChanged bool, wantError error, want string) {
		t.Helper()
		before := source.Book()
		changed, err := source.Refresh()
		if changed != wantChanged || !errors.Is(err, wantError) {
			t.Errorf("%s: changed %v, error %v", what, changed, err)
		}
		if changed == (source.Book() == before) {
			t.Errorf("%s: changed %v, but the book says otherwise", what, changed)
		}
		if got := named(source.Book(), "p", "one"); got != want {
			t.Errorf("%s: one is %s, want %s", what, got, want)
		}
	}
	expect("nothing happened", false, nil, "one 0.009")
	write(first)
	expect("only touched", false, nil, "one 0.009")
	write(strings.ReplaceAll(first, `"9"`, `"8"`))
	expect("another price", true, nil, "one 0.008")
	write(strings.ReplaceAll(first, `"9"`, `"eight"`))
	expect("a mistake", false, price.ErrBook, "one 0.008")
	expect("the same mistake", false, nil, "one 0.008")
	write(strings.ReplaceAll(first, `"9"`, `"7"`))
	expect("mended", true, nil, "one 0.007")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	expect("gone", false, fs.ErrNotExist, "one 0.007")
	expect("still gone", false, nil, "one 0.007")
	write(first)
	expect("back", true, nil, "one 0.009")

	alone, err := price.NewSource(base, "")
	if err != nil || alone.Book() != base {
		t.Errorf("without a file the book is %v, %v", alone.Book(), err)
	}
	if changed, err := alone.Refresh(); changed || err != nil {
		t.Errorf("without a file: changed %v, %v", changed, err)
	}
}
