package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"testing"
	"testing/fstest"
	"time"

	"github.com/faregate/faregate/metering"
	"github.com/faregate/faregate/metering/price"
	"github.com/faregate/faregate/metering/usage"
)

const folder = "../../../../shared/prices"

func TestEmbeddedBookIsMadeFromTheSources(t *testing.T) {
	if _, err := os.Stat(folder); errors.Is(err, fs.ErrNotExist) {
		t.Skip("the price data is not here")
	}
	committed, err := os.ReadFile("../../../metering/price/book.json")
	if err != nil {
		t.Fatal(err)
	}
	for range 3 { // maps are in another order each time
		sources, err := readSources(os.DirFS(folder))
		if err != nil {
			t.Fatal(err)
		}
		made, _, err := makeBook(sources, price.Embedded().Version())
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(made, committed) {
			t.Fatal("metering/price/book.json is not what this program makes: run it")
		}
	}
}

// small is the shapes that the sources have, with models of no name.
func small() fstest.MapFS {
	return fstest.MapFS{
		"genai-prices.json": {Data: []byte(`{"source": {"package": "g", "version": "1", "date": "2026-09-23", "licence": "MIT"}, "providers": [
			{"id": "openai", "models": [
				{"id": "gpt-7", "match": {"or": [{"equals": "gpt-7"}, {"equals": "gpt-7-2027-01-02"}, {"equals": "gpt-seven"}, {"regex": "^gpt-7"}]},
				 "context_window": 1000,
				 "prices": {"input_mtok": {"base": 2.5, "tiers": [{"start": 271999, "price": 5}]}, "cache_read_mtok": 0.003625, "output_mtok": {"base": 10, "tiers": [{"start": 271999, "price": 15}]}, "web_searches_kcount": 10}},
				{"id": "listener", "match": {"equals": "listener"}, "prices": {"audio_hours": 0.36, "input_audio_hours": 0.36}},
				{"id": "seer", "match": {"equals": "seer"}, "prices": {"input_mtok": 1, "dreams_mtok": 3}}]},
			{"id": "deepseek", "models": [
				{"id": "owl", "match": {"starts_with": "owl"}, "prices": [
					{"prices": {"input_mtok": 1, "output_mtok": 2}},
					{"constraint": {"type": "start_date", "start_date": "2026-08-17"}, "prices": {"input_mtok": 2, "output_mtok": 4}},
					{"constraint": {"type": "time_of_date", "start_time": "01:00:00Z", "end_time": "04:00:00Z"}, "prices": {"input_mtok": 4, "output_mtok": 8}}]}]}]}`)},
		"models-dev.json":     {Data: []byte(`{"source": {}, "providers": {"openai": {"gpt-7-2027-01-02": {"limit": {"context": 2000, "input": 1500, "output": 500}}}}}`)},
		"litellm-subset.json": {Data: []byte(`{"source": {}, "models": {}}`)},
		"later-facts.json":    {Data: []byte(`{"facts": [{"provider": "openai", "model": "gpt-8", "input": 1, "cache_read": 0.1, "output": 5, "long": {"above": 100, "input_x": 2, "cache_x": 3, "output_x": 1.5}, "cache_read_from_2027-02-03": 0.05, "source": "a page"}, {"provider": "openai", "fact": "prose"}]}`)},
	}
}

func makeSmall(t *testing.T, files fstest.MapFS) (*price.Book, []string, error) {
	t.Helper()
	sources, err := readSources(files)
	if err != nil {
		return nil, nil, err
	}
	data, skipped, err := makeBook(sources, "2027-01-01")
	if err != nil {
		return nil, nil, err
	}
	book, err := price.Parse(data)
	return book, skipped, err
}

func TestSourcesBecomeEntries(t *testing.T) {
	book, skipped, err := makeSmall(t, small())
	if err != nil {
		t.Fatal(err)
	}
	if len(skipped) != 1 || skipped[0] != "openai/seer: a price per dreams, which no usage record counts" {
		t.Errorf("left out: %q", skipped)
	}
	model, found := book.Find("openai", "gpt-7-2027-01-02")
	if !found || model.Name != "gpt-7" || model.ContextLength != 2000 || model.InputLimit != 1500 || model.OutputLimit != 500 {
		t.Errorf("the dated name leads to %+v", model)
	}
	if len(model.Aliases) != 1 || model.Aliases[0] != "gpt-seven" {
		t.Errorf("aliases are %v", model.Aliases)
	}
	listener, _ := book.Find("openai", "listener")
	if rates, _ := listener.At(time.Now()); rates.Cost(usage.Usage{Units: usage.Units{Milliseconds: 1_800_000}}, price.Conditions{}) != metering.Dollar*18/100 {
		t.Error("half an hour of audio does not cost half of an hour's price")
	}
	if owl, _ := book.Find("deepseek", "owl"); !model.Reasons || owl.Reasons {
		t.Errorf("gpt-7 reasons: %v, owl reasons: %v", model.Reasons, owl.Reasons)
	}
}

func TestDisagreementsStopTheProgram(t *testing.T) {
	files := small()
	files["later-facts.json"] = &fstest.MapFile{Data: []byte(`{"facts": [{"provider": "openai", "model": "gpt-7", "input": 3, "output": 10, "source": "a page"}]}`)}
	if _, _, err := makeSmall(t, files); err == nil {
		t.Error("two prices for one model were taken")
	}
	for name := range small() {
		missing := small()
		delete(missing, name)
		if _, _, err := makeSmall(t, missing); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("without %s: %v", name, err)
		}
	}
}

func TestNumbersStayExact(t *testing.T) {
	for text, want := range map[string]string{"1.25e-06": "0.00000125", "2.5": "2.5", "10": "10", "10.0": "10", "0.003625": "0.003625", "100": "100"} {
		value, err := exact(json.Number(text))
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got, err := decimalOf(value); err != nil || got != want {
			t.Errorf("%s is %s, %v; want %s", text, got, err, want)
		}
	}
	if _, err := exact("-1"); err == nil {
		t.Error("a negative price was taken")
	}
	if _, err := dividedBy("1", 3); err == nil {
		t.Error("a third was written as a decimal")
	}
}
