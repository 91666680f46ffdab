"""`kubectl apply` of the torchrun Job is all it takes until four pods train."""

from e2e.figures import Figures
from e2e.job_run import JobRun


def test_four_pods_train_after_one_kubectl_apply(job_run: JobRun, figures: Figures) -> None:
    figures.add("kubectl apply of torchrun-job: first round of 4 pods", job_run.first_round_seconds, "s")
    figures.add("kubectl apply of torchrun-job: first training step of all 4 pods", job_run.first_step_seconds, "s")
    assert sorted(job_run.run.pods) == sorted({member.pod_name for member in job_run.run.ranked})


def test_ranks_follow_the_completion_index(job_run: JobRun) -> None:
    assert [member.slot for member in job_run.run.ranked] == ["0", "1", "2", "3"]
