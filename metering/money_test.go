package metering

import (
	"encoding/json"
	"errors"
	"math"
	"testing"
)

func TestParseUSD(t *testing.T) {
	for text, want := range map[string]Nanos{
		"0": 0, "5": 5 * Dollar, "5.00": 5 * Dollar, "0.000000001": 1, "12.5": 12_500_000_000,
		"9000000000": 9_000_000_000 * Dollar, "0.123456789": 123_456_789,
	} {
		got, err := ParseUSD(text)
		if err != nil || got != want {
			t.Errorf("ParseUSD(%q) = %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", ".", "5.", ".5", "-1", "+1", "1e3", "1,000", "0.0000000001", "9300000000", "99999999999999999999", "5 ", "٣", "0x10"} {
		if got, err := ParseUSD(text); !errors.Is(err, ErrAmount) {
			t.Errorf("ParseUSD(%q) = %d, %v; want ErrAmount", text, got, err)
		}
	}
}

func TestNanosTextRoundTrip(t *testing.T) {
	for amount, want := range map[Nanos]string{
		0: "0.00", 5 * Dollar: "5.00", 1: "0.000000001", -1_500_000_000: "-1.50",
		37_500: "0.0000375", math.MaxInt64: "9223372036.854775807", math.MinInt64: "-9223372036.854775808",
	} {
		if got := amount.String(); got != want {
			t.Errorf("%d prints as %q, want %q", int64(amount), got, want)
		}
	}
	encoded, err := json.Marshal(struct{ Cost Nanos }{-37_500})
	if err != nil || string(encoded) != `{"Cost":"-0.0000375"}` {
		t.Fatalf("JSON is %s, %v", encoded, err)
	}
	var decoded struct{ Cost Nanos }
	if err := json.Unmarshal(encoded, &decoded); err != nil || decoded.Cost != -37_500 {
		t.Fatalf("decoded %d, %v", decoded.Cost, err)
	}
}
