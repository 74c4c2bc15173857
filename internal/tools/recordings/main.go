// Command recordings makes the project's own test data from recorded provider
// responses: the same structure, framing, white space and numbers, with every
// free text replaced by neutral filler of the same length. The result holds
// nothing that a person or a model has written, and can be served again.
//
// The recordings are folders PROVIDER/CASE with the bytes as received in
// response.txt and the facts in case.json. From the root of the repository:
//
//	go run ./internal/tools/recordings -from ../shared/fixtures -to metering/usage/testdata/recordings
//
// It chooses the smallest recordings that together show every provider, quirk,
// ending and size class, and ten streams of each dialect at least. The output is the same for the same input.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	from := flag.String("from", "../shared/fixtures", "folder of the recordings")
	to := flag.String("to", "metering/usage/testdata/recordings", "folder to write; what it held is removed")
	flag.Parse()
	if err := run(*from, *to); err != nil {
		fmt.Fprintln(os.Stderr, "recordings:", err)
		os.Exit(1)
	}
}

func run(from, to string) error {
	cases, err := readCases(from)
	if err != nil {
		return err
	}
	if err := os.RemoveAll(to); err != nil {
		return err
	}
	total := 0
	chosen := choose(cases)
	for _, c := range chosen {
		body, err := neutralBody(c)
		if err != nil {
			return fmt.Errorf("%s/%s: %w", c.Provider, c.ID, err)
		}
		facts, err := c.facts()
		if err != nil {
			return fmt.Errorf("%s/%s: %w", c.Provider, c.ID, err)
		}
		folder := filepath.Join(to, c.Provider, c.ID)
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(folder, "response.txt"), body, 0o644); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(folder, "case.json"), facts, 0o644); err != nil {
			return err
		}
		total += len(body)
	}
	fmt.Printf("%d of %d recordings, %d bytes\n", len(chosen), len(cases), total)
	return nil
}
