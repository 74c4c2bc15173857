package caddymodule

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/faregate/faregate/metering/price"
	"github.com/faregate/faregate/metering/usage"
)

// askedUsage is the usage whose cost is asked for.
type askedUsage struct {
	usage      usage.Usage
	conditions price.Conditions
	given      bool

	counts map[string]*int64 // of classes and units, by name
	kinds  []string
}

// addFlags adds a flag for each class of tokens and each unit, named as in a usage
// record but with dashes, and for the conditions.
func (a *askedUsage) addFlags(flags *pflag.FlagSet) {
	a.counts = make(map[string]*int64)
	for class := price.Input; class <= price.OutputVideo; class++ {
		name := class.String()
		a.counts[name] = flags.Int64(flagName(name), 0, "tokens of "+name+" to price")
	}
	for _, unit := range price.Units() {
		if unit != price.Request { // counted by itself
			name := unit.String()
			a.counts[name] = flags.Int64(flagName(name), 0, "number of "+name+" to price")
		}
	}
	flags.StringVar(&a.conditions.ServiceTier, "service-tier", "", "the service tier that served, like flex or priority")
	flags.StringVar(&a.conditions.Speed, "speed", "", "the speed that served, like fast")
	flags.StringVar(&a.conditions.Geo, "geo", "", "the region that served, like us")
	flags.StringArrayVar(&a.kinds, "kind", nil, "the kind of a unit, like images=hd-1024x1792 or request=high")
}

func flagName(name string) string { return strings.ReplaceAll(name, "_", "-") }

// read makes a usage of the flags.
func (a *askedUsage) read(cmd *cobra.Command) error {
	classes, units := make(map[string]any), make(map[string]int64)
	for name, count := range a.counts {
		if !cmd.Flags().Changed(flagName(name)) {
			continue
		}
		a.given = true
		if *count < 0 {
			return fmt.Errorf("--%s is negative", flagName(name))
		}
		if isUnit(name) {
			units[name] = *count
		} else {
			classes[name] = *count
		}
	}
	classes["units"] = units
	record, err := json.Marshal(classes)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(record, &a.usage); err != nil {
		return err
	}
	for _, text := range a.kinds {
		name, kind, _ := strings.Cut(text, "=")
		i := slices.IndexFunc(price.Units(), func(unit price.Unit) bool { return unit.String() == name })
		if i < 0 || kind == "" {
			var units []string
			for _, unit := range price.Units() {
				units = append(units, unit.String())
			}
			return fmt.Errorf("--kind %q: write a unit and its kind, like images=hd-1024x1792; the units are %s", text, strings.Join(units, ", "))
		}
		a.conditions.Kinds[i] = kind
	}
	return nil
}

func isUnit(name string) bool {
	return slices.ContainsFunc(price.Units(), func(unit price.Unit) bool { return unit.String() == name })
}
