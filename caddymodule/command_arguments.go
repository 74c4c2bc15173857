package caddymodule

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// wantedOfType is what can be written after a flag, by its type.
var wantedOfType = map[string]string{
	"int": "a whole number", "int64": "a whole number of at most 18 digits",
	"bool": "true or false", "duration": "a time with its unit, like 15s or 2m",
}

// explainArguments has this command and all below it say what to do where words are
// missing, too many or unknown: cobra only counts them.
func explainArguments(cmd *cobra.Command) {
	if check := cmd.Args; check != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if check(cmd, args) == nil {
				return nil
			}
			name, rest, _ := strings.Cut(cmd.Use, " ")
			usage := strings.TrimSpace(strings.TrimSuffix(cmd.CommandPath(), name) + cmd.Use)
			// What stands before the flags is what has to be given.
			wanted := 0
			for word := range strings.FieldsSeq(rest) {
				if strings.HasPrefix(word, "-") || strings.HasPrefix(word, "[") {
					break
				}
				if wanted++; wanted > len(args) {
					return fmt.Errorf("the argument %s is missing: %s", word, usage)
				}
			}
			return fmt.Errorf("the argument %q is too much: %s", args[min(wanted, len(args)-1)], usage)
		}
	}
	for _, child := range cmd.Commands() {
		explainArguments(child)
	}
}

// explainFlag says what to write after a flag, in place of what Go's parser says of it, or
// where the flags of a command are told.
func explainFlag(cmd *cobra.Command, err error) error {
	var invalid *pflag.InvalidValueError
	if errors.As(err, &invalid) {
		if want, ok := wantedOfType[invalid.GetFlag().Value.Type()]; ok {
			return fmt.Errorf("--%s %q: write %s", invalid.GetFlag().Name, invalid.GetValue(), want)
		}
	}
	return fmt.Errorf("%w: %s --help tells its flags", err, cmd.CommandPath())
}

// refuseFlags refuses flags that make no sense together, that are missing, or that are given
// and empty, as an unset variable of a script leaves them: `--models ""` must not open a
// key, nor `--store ""` mean another store.
func refuseFlags(cmd *cobra.Command, _ []string) error {
	var empty, missing []string
	cmd.Flags().VisitAll(func(flag *pflag.Flag) {
		switch required := flag.Annotations[cobra.BashCompOneRequiredFlag]; {
		case flag.Changed:
			if text := flag.Value.String(); text == "" || text == "[]" {
				hint := ", or leave it out"
				if len(required) > 0 && required[0] == "true" {
					hint = ""
				}
				empty = append(empty, fmt.Sprintf("--%s is empty: give it a value%s", flag.Name, hint))
			}
		case len(required) > 0 && required[0] == "true":
			missing = append(missing, fmt.Sprintf("--%s (%s)", flag.Name, flag.Usage))
		}
	})
	switch {
	case len(empty) > 0:
		return errors.New(strings.Join(empty, "; "))
	case len(missing) > 0:
		return fmt.Errorf("required and not given: %s", strings.Join(missing, "; "))
	case cmd.Flags().Changed("config") && cmd.Flags().Changed("store"):
		return errors.New("--config and --store both say where the store is: give one of them")
	}
	return nil
}

// counted is a number with its noun: 1 mistake, 2 mistakes.
func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
