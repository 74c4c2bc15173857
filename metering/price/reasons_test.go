package price_test

import (
	"strings"
	"testing"

	"github.com/faregate/faregate/metering/price"
)

func TestModelsThatReasonUnseen(t *testing.T) {
	book := price.Embedded()
	for name, want := range map[[2]string]bool{
		{"openai", "gpt-5-2025-08-07"}: true, {"openai", "gpt-6.1-sol"}: true, {"openai", "o3"}: true, {"openai", "gpt-4o"}: false,
		{"openai", "gpt-5-chat-latest"}: false, {"google", "gemini-2.5-pro"}: true, {"google", "gemini-3.8-flash"}: true,
		{"google", "gemini-2.0-flash"}: false, {"xai", "grok-4"}: true, {"xai", "grok-4.20-0309-reasoning"}: true,
		{"xai", "grok-4.20-0309-non-reasoning"}: false, {"anthropic", "claude-opus-5"}: true, {"anthropic", "claude-opus-4-8"}: false, {"deepseek", "deepseek-reasoner"}: false,
		{"simulator", "simulator/demo"}: false,
	} {
		model, found := book.Find(name[0], name[1])
		if !found || model.Reasons != want {
			t.Errorf("%s of %s: found %v, reasons %v, want %v", name[1], name[0], found, model.Reasons, want)
			continue
		}
		if said := strings.Contains(strings.Join(model.Explain(november), "\n"), "can reason unasked"); said != want {
			t.Errorf("%s: the explanation says so: %v", name[1], said)
		}
	}
	written, err := price.Parse([]byte(oneModel(`"m": {"reasoning": true, "periods": [` + onePeriod + `]}, "n": {"periods": [` + onePeriod + `]}`)))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"m": true, "n": false} {
		if model, _ := written.Find("p", name); model.Reasons != want {
			t.Errorf("%s reasons: %v", name, model.Reasons)
		}
	}
}

func TestOwnPrice(t *testing.T) {
	rates, err := price.NewRates(price.Definition{
		Prices: map[string]string{"input": "1", "input_audio": "3", "input_image": "1.0", "cache_read": "0.1", "cache_read_audio": "3",
			"cache_write_5m": "1.25", "cache_write_1h": "1.25", "output": "4", "output_image": "30", "output_audio": "4.00"},
		Tiers: []price.Tier{{Above: 1000, Prices: map[string]string{"input": "2", "input_audio": "3", "input_image": "2.5", "cache_read": "0.1", "cache_read_audio": "3",
			"cache_write_5m": "2", "cache_write_1h": "2", "output": "8", "output_image": "30", "output_audio": "8"}}},
		// Conditions are not base prices.
		Speeds: map[string]price.Adjustment{"fast": {Prices: map[string]string{"input": "1", "input_audio": "3", "input_image": "1", "cache_read": "0.1", "cache_read_audio": "3",
			"cache_write_5m": "1.25", "cache_write_1h": "1.25", "output": "4", "output_image": "30", "output_audio": "99"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := price.ClassesOf(price.CacheRead, price.CacheWrite5m, price.InputAudio, price.InputImage, price.OutputImage)
	factor, err := price.ParseFactor("1.5")
	if err != nil {
		t.Fatal(err)
	}
	for class := price.Input; class <= price.OutputVideo; class++ {
		if got := rates.OwnPrice(class); got != want.Has(class) {
			t.Errorf("%s has a price of its own: %v", class, got)
		}
		if rates.Times(factor).OwnPrice(class) != want.Has(class) {
			t.Errorf("%s in a price group differs", class)
		}
	}

	for _, c := range []struct {
		provider, model string
		class           price.Class
		want            bool
	}{
		{"google", "gemini-2.5-flash-image", price.OutputImage, true},
		{"google", "gemini-2.5-flash", price.OutputImage, false},
		{"openai", "gpt-audio", price.OutputAudio, true},
		{"openai", "gpt-5.4", price.OutputAudio, false},
		{"openai", "gpt-5.4", price.CacheRead, true},
		{"openai", "gpt-5.4", price.Output, false},
	} {
		if got := ratesAt(t, c.provider, c.model, november).OwnPrice(c.class); got != c.want {
			t.Errorf("%s of %s has a price of its own: %v", c.class, c.model, got)
		}
	}
}

func TestOwnPriceDoesNotAllocate(t *testing.T) {
	rates := ratesAt(t, "google", "gemini-2.5-flash-image", november)
	if n := testing.AllocsPerRun(100, func() { rates.OwnPrice(price.OutputImage) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
