// Package metering holds the two words that every part of metering shares: the
// unit of money and the usage record.
//
// The work is done in its rooms: usage reads what a provider reports, price
// says what that costs, ledger takes it from the account, once.
package metering
