package usage

import (
	"reflect"
	"testing"
)

// Every field counts, also one that is added later.
func TestPlusAddsEveryField(t *testing.T) {
	var fill func(v reflect.Value, n int64)
	fill = func(v reflect.Value, n int64) {
		for i := range v.NumField() {
			if v.Field(i).Kind() == reflect.Struct {
				fill(v.Field(i), n)
				continue
			}
			v.Field(i).SetInt(n)
		}
	}
	var two, three, five Usage
	fill(reflect.ValueOf(&two).Elem(), 2)
	fill(reflect.ValueOf(&three).Elem(), 3)
	fill(reflect.ValueOf(&five).Elem(), 5)
	if got := two.Plus(three); got != five {
		t.Errorf("got %+v", got)
	}
}
