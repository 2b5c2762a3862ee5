// Decodes Kubernetes' resources by the Go types of those who define them: a member that they do not know is an error. Tekton's
// are validated too, as its webhook does.
package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	v1 "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
	"knative.dev/pkg/apis"
	strict "sigs.k8s.io/yaml"
)

type resource interface {
	apis.Validatable
	apis.Defaultable
	metav1.Object
}

// What is used of KServe's: a pod, and how many of it.
type inferenceService struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		Predictor struct {
			corev1.PodSpec `json:",inline"`
			MinReplicas    *int32 `json:"minReplicas,omitempty"`
			MaxReplicas    int32  `json:"maxReplicas,omitempty"`
		} `json:"predictor"`
	} `json:"spec"`
}

func main() {
	failed := false
	for _, path := range os.Args[1:] {
		count, err := check(path)
		if err != nil {
			fmt.Printf("%s: %v\n", path, err)
			failed = true
		} else {
			fmt.Printf("%s: %d resources\n", path, count)
		}
	}
	if failed {
		os.Exit(1)
	}
}

func check(path string) (int, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	documents := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(data)))
	for count := 0; ; {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			if count == 0 {
				return 0, errors.New("expected a resource, found none")
			}
			return count, nil
		}
		if err != nil {
			return 0, err
		}
		if err := checkOne(document); err != nil {
			return 0, fmt.Errorf("resource %d: %w", count+1, err)
		}
		count++
	}
}

func checkOne(document []byte) error {
	var kind metav1.TypeMeta
	if err := strict.Unmarshal(document, &kind); err != nil {
		return err
	}
	name := kind.APIVersion + " " + kind.Kind
	var known any
	switch name {
	case "tekton.dev/v1 Task":
		known = &v1.Task{}
	case "tekton.dev/v1 Pipeline":
		known = &v1.Pipeline{}
	case "tekton.dev/v1 PipelineRun":
		known = &v1.PipelineRun{}
	case "tekton.dev/v1 TaskRun":
		known = &v1.TaskRun{}
	case "v1 ConfigMap":
		known = &corev1.ConfigMap{}
	case "v1 PersistentVolumeClaim":
		known = &corev1.PersistentVolumeClaim{}
	case "serving.kserve.io/v1beta1 InferenceService":
		known = &inferenceService{}
	default:
		return fmt.Errorf("expected a kind that is known, found %s", name)
	}
	if err := strict.UnmarshalStrict(document, known); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if known, ok := known.(resource); ok {
		// The API server makes a name before it asks the webhook.
		if known.GetName() == "" && known.GetGenerateName() != "" {
			known.SetName(known.GetGenerateName() + "x")
		}
		known.SetDefaults(context.Background())
		if err := known.Validate(context.Background()); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}
