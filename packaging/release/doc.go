// Release builds everything that is released, twice the same from the same
// commit:
//
//	go -C packaging/release run . -out /tmp/dist
//
// the programs for each system, deb, rpm, msi, tar and zip, a software bill of
// materials (CycloneDX), the licences, SHA256SUMS, and notes that say whether
// govulncheck was run, when, and what it found. The msi needs wixl, from the
// package of that name. What is not reproducible is a fault.
package main
