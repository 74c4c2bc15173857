package preferences

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

func TestPreferencesAreRead(t *testing.T) {
	for text, want := range map[string]Providers{
		"": {}, "  ": {},
		"order=a|b":                             {Order: []string{"a", "b"}},
		" order = a | b , only=c,ignore=d-1_x ": {Order: []string{"a", "b"}, Only: []string{"c"}, Ignore: []string{"d-1_x"}},
		"data_policy=zdr":                       {DataPolicy: DataPolicyZDR},
		"ignore=x, data_policy = no_training":   {Ignore: []string{"x"}, DataPolicy: DataPolicyNoTraining},
	} {
		got, err := Parse(text)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
		if again, err := Parse(got.String()); err != nil || !reflect.DeepEqual(again, got) {
			t.Errorf("%q was written as %q: %v", text, got, err)
		}
	}
	for text, because := range map[string]string{
		"order":                           "number 1 has no equals sign",
		"order=a,":                        "number 2 has no equals sign",
		"order=a, sort=price":             "number 2 is none of",
		"Order=a":                         "number 1 is none of",
		"order=a, order=b":                "order stands twice",
		"data_policy=zdr,data_policy=zdr": "data_policy stands twice",
		"only=":                           "only wants names",
		"only=a||b":                       "only wants names",
		"ignore=SECRET":                   "ignore wants names",
		"order=a|a":                       "order has a name twice",
		"data_policy=best":                "one of zdr, no_training",
		"order=a" + strings.Repeat(" ", maxPreferences): "longer than",
		"order=" + manyNames():                          "more than 32 names",
	} {
		got, err := Parse(text)
		if !errors.Is(err, ErrUnreadable) || !strings.Contains(err.Error(), because) || !reflect.DeepEqual(got, Providers{}) {
			t.Errorf("%q: %+v, %v; want %q", text, got, err, because)
		}
		if err != nil && (strings.Contains(err.Error(), "SECRET") || !strings.Contains(err.Error(), "write them like")) {
			t.Errorf("%v", err)
		}
	}
}

func manyNames() string {
	var names []string
	for i := range 33 {
		names = append(names, strings.Repeat("a", i%32+1)+string(rune('a'+i%26)))
	}
	for i := range names {
		names[i] = names[i][max(0, len(names[i])-30):] + string(rune('0'+i%10)) + string(rune('a'+i/10))
	}
	return strings.Join(names, "|")
}

func FuzzPreferences(f *testing.F) {
	f.Add("order=a|b, only=c, ignore=d, data_policy=zdr")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := Parse(text)
		if err != nil {
			return
		}
		if again, err := Parse(got.String()); err != nil || !reflect.DeepEqual(again, got) {
			t.Errorf("%q was written as %q: %v", text, got, err)
		}
	})
}

func TestDefaultsOfAKey(t *testing.T) {
	key := Providers{Order: []string{"a"}, Ignore: []string{"b"}, DataPolicy: DataPolicyNoTraining}
	got := Providers{Order: []string{"c"}, Only: []string{"d"}, DataPolicy: DataPolicyRetains}.Or(key)
	want := Providers{Order: []string{"c"}, Only: []string{"d"}, Ignore: []string{"b"}, DataPolicy: DataPolicyNoTraining}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
}

func TestDataPolicies(t *testing.T) {
	all := []DataPolicy{DataPolicyUnknown, DataPolicyRetains, DataPolicyNoTraining, DataPolicyZDR}
	for i, has := range all {
		for j, required := range all {
			if has.Satisfies(required) != (i >= j) {
				t.Errorf("%v satisfies %v: %v", has, required, has.Satisfies(required))
			}
			if got := Strictest(has, DataPolicyUnknown, required); got != all[max(i, j)] {
				t.Errorf("the strictest of %v and %v is %v", has, required, got)
			}
		}
		if again, err := ParseDataPolicy(has.String()); err != nil || again != has {
			t.Errorf("%v is read as %v, %v", has, again, err)
		}
	}
	for _, name := range []string{"", "ZDR", "none"} {
		if _, err := ParseDataPolicy(name); err == nil {
			t.Errorf("%q was read", name)
		}
	}
}

func TestPreferencesThatCannotBeWritten(t *testing.T) {
	for _, p := range []Providers{{Order: []string{"a|b"}}, {Only: []string{"a, data_policy=zdr"}}, {Ignore: []string{"a", "a"}}, {Ignore: []string{""}}} {
		if err := p.Validate(); !errors.Is(err, ErrUnreadable) {
			t.Errorf("%+v: %v", p, err)
		}
	}
	for _, p := range []Providers{{}, {Order: []string{"a", "b"}, Only: []string{"a"}, Ignore: []string{"c"}, DataPolicy: DataPolicyZDR}} {
		if err := p.Validate(); err != nil {
			t.Errorf("%+v: %v", p, err)
		}
	}
}
