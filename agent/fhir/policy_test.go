package fhir

import (
	"encoding/json"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestAccessPolicy: the policy that is shipped grants create, read and search
// on the types that a plan holds, and nothing else.
func TestAccessPolicy(t *testing.T) {
	raw, err := os.ReadFile("../../configs/medplum-access-policy.json")
	if err != nil {
		t.Fatal(err)
	}
	var policy struct {
		ResourceType string
		Resource     []struct {
			ResourceType string
			Interaction  []string
		}
	}
	if err := json.Unmarshal(raw, &policy); err != nil || policy.ResourceType != "AccessPolicy" {
		t.Fatalf("%+v, %v", policy, err)
	}
	granted, used := map[string][]string{}, map[string][]string{}
	for _, r := range policy.Resource {
		if _, twice := granted[r.ResourceType]; twice {
			t.Errorf("%s is named twice", r.ResourceType)
		}
		granted[r.ResourceType] = slices.Sorted(slices.Values(r.Interaction))
	}
	for _, s := range mustPlan(t, testInput(patientReport(0, "S1", 2))).Steps {
		for _, e := range s.Entries {
			used[e.Type] = []string{"create", "read", "search"}
		}
	}
	if diff := cmp.Diff(used, granted); diff != "" {
		t.Errorf("-used +granted\n%s", diff)
	}
}
