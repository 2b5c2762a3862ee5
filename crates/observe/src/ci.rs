//! The CI job that a command runs in, as its environment tells it.
//!
//! Anybody can set these variables: they are what the job says of itself, and prove nothing.

use std::collections::BTreeMap;

/// What a CI job says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ci {
    /// The platform: `GitHub Actions`, `GitLab CI`, `Google Cloud Build`, or `CI` for one that only says that it is some.
    pub platform: String,
    /// The page of this run.
    pub invocation_uri: Option<String>,
    /// The repository that it runs for. It has no user information where the platform gives none; GitLab's may be set by a user.
    pub repository: Option<String>,
    /// What was checked out, in full (`refs/heads/main`).
    pub reference: Option<String>,
    /// The commit, in hex.
    pub commit: Option<String>,
    /// What defines the run: on GitHub the workflow file with its reference, on GitLab the configuration file.
    pub definition: Option<String>,
}

/// Reads what the environment says. None if it names no CI job.
#[must_use]
pub fn ci(environment: &BTreeMap<String, String>) -> Option<Ci> {
    let variables = Variables(environment);
    if variables.is_true("GITHUB_ACTIONS") {
        Some(github(&variables))
    } else if variables.is_true("GITLAB_CI") {
        Some(gitlab(&variables))
    } else if variables.value("BUILD_ID").is_some() && variables.value("PROJECT_ID").is_some() {
        Some(cloud_build(&variables))
    } else if variables.is_true("CI") {
        Some(Ci { platform: "CI".to_owned(), ..Ci::default() })
    } else {
        None
    }
}

struct Variables<'a>(&'a BTreeMap<String, String>);

impl Variables<'_> {
    /// The value of a variable that is set and not empty.
    fn value(&self, name: &str) -> Option<String> {
        self.0.get(name).filter(|value| !value.is_empty()).cloned()
    }

    fn is_true(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(|value| value.eq_ignore_ascii_case("true") || value == "1")
    }
}

fn github(variables: &Variables<'_>) -> Ci {
    let repository = variables
        .value("GITHUB_SERVER_URL")
        .zip(variables.value("GITHUB_REPOSITORY"))
        .map(|(server, name)| format!("{server}/{name}"));
    let attempt = variables.value("GITHUB_RUN_ATTEMPT").unwrap_or_else(|| "1".to_owned());
    let invocation_uri = repository
        .as_ref()
        .zip(variables.value("GITHUB_RUN_ID"))
        .map(|(repository, run)| format!("{repository}/actions/runs/{run}/attempts/{attempt}"));
    Ci {
        platform: "GitHub Actions".to_owned(),
        invocation_uri,
        repository,
        reference: variables.value("GITHUB_REF"),
        commit: variables.value("GITHUB_SHA"),
        definition: variables.value("GITHUB_WORKFLOW_REF"),
    }
}

fn gitlab(variables: &Variables<'_>) -> Ci {
    let tag = variables.value("CI_COMMIT_TAG").map(|tag| format!("refs/tags/{tag}"));
    let merge = variables.value("CI_MERGE_REQUEST_REF_PATH");
    let branch = || variables.value("CI_COMMIT_BRANCH").map(|branch| format!("refs/heads/{branch}"));
    Ci {
        platform: "GitLab CI".to_owned(),
        invocation_uri: variables.value("CI_JOB_URL"),
        repository: variables.value("CI_PROJECT_URL"),
        reference: tag.or(merge).or_else(branch),
        commit: variables.value("CI_COMMIT_SHA"),
        definition: variables.value("CI_CONFIG_PATH"),
    }
}

fn cloud_build(variables: &Variables<'_>) -> Ci {
    let location = variables.value("LOCATION").unwrap_or_else(|| "global".to_owned());
    let page = variables.value("PROJECT_ID").zip(variables.value("BUILD_ID")).map(|(project, build)| {
        format!("https://console.cloud.google.com/cloud-build/builds;region={location}/{build}?project={project}")
    });
    let tag = variables.value("TAG_NAME").map(|tag| format!("refs/tags/{tag}"));
    Ci {
        platform: "Google Cloud Build".to_owned(),
        invocation_uri: page,
        repository: variables.value("REPO_FULL_NAME").map(|name| format!("https://github.com/{name}")),
        reference: tag.or_else(|| variables.value("BRANCH_NAME").map(|branch| format!("refs/heads/{branch}"))),
        commit: variables.value("COMMIT_SHA"),
        definition: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Option<Ci> {
        ci(&variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn a_job_on_github_names_its_attempt() {
        let found = read(&[
            ("CI", "true"),
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_SERVER_URL", "https://github.example"),
            ("GITHUB_REPOSITORY", "octo/model"),
            ("GITHUB_RUN_ID", "17"),
            ("GITHUB_RUN_ATTEMPT", "2"),
            ("GITHUB_REF", "refs/heads/main"),
            ("GITHUB_SHA", "0123"),
            ("GITHUB_WORKFLOW_REF", "octo/model/.github/workflows/train.yml@refs/heads/main"),
        ])
        .expect("a job");
        assert_eq!(
            found.invocation_uri.as_deref(),
            Some("https://github.example/octo/model/actions/runs/17/attempts/2")
        );
        assert_eq!(found.repository.as_deref(), Some("https://github.example/octo/model"));
        assert_eq!((found.reference.as_deref(), found.commit.as_deref()), (Some("refs/heads/main"), Some("0123")));
        assert_eq!(found.definition.as_deref(), Some("octo/model/.github/workflows/train.yml@refs/heads/main"));
    }

    #[test]
    fn a_job_on_gitlab_names_a_tag_a_merge_request_or_a_branch() {
        let job =
            [("GITLAB_CI", "true"), ("CI_JOB_URL", "https://gitlab.example/g/m/-/jobs/5"), ("CI_COMMIT_SHA", "ab")];
        let reference = |more: &[(&str, &str)]| read(&[&job, more].concat()).and_then(|found| found.reference);
        assert_eq!(reference(&[("CI_COMMIT_TAG", "v1")]).as_deref(), Some("refs/tags/v1"));
        assert_eq!(reference(&[("CI_COMMIT_BRANCH", "main")]).as_deref(), Some("refs/heads/main"));
        let merge = ("CI_MERGE_REQUEST_REF_PATH", "refs/merge-requests/3/head");
        assert_eq!(reference(&[merge]).as_deref(), Some("refs/merge-requests/3/head"));
        assert_eq!(reference(&[]), None);
        let found = read(&job).expect("a job");
        assert_eq!(found.invocation_uri.as_deref(), Some("https://gitlab.example/g/m/-/jobs/5"));
        assert_eq!((found.platform.as_str(), found.commit.as_deref()), ("GitLab CI", Some("ab")));
    }

    #[test]
    fn a_build_on_google_cloud_is_known_where_its_variables_are_handed_on() {
        let found = read(&[("BUILD_ID", "b1"), ("PROJECT_ID", "p1"), ("TAG_NAME", "v2"), ("COMMIT_SHA", "cd")]);
        let found = found.expect("a build");
        assert_eq!(
            found.invocation_uri.as_deref(),
            Some("https://console.cloud.google.com/cloud-build/builds;region=global/b1?project=p1")
        );
        assert_eq!((found.reference.as_deref(), found.commit.as_deref()), (Some("refs/tags/v2"), Some("cd")));
        assert_eq!(read(&[("BUILD_ID", "b1")]), None);
    }

    #[test]
    fn some_other_ci_says_only_that_it_is_one() {
        assert_eq!(read(&[("CI", "true")]), Some(Ci { platform: "CI".to_owned(), ..Ci::default() }));
        assert_eq!(read(&[("CI", "false"), ("GITHUB_ACTIONS", "")]), None);
        assert_eq!(read(&[]), None);
    }

    #[test]
    fn empty_variables_are_unset() {
        let found = read(&[("GITHUB_ACTIONS", "true"), ("GITHUB_SERVER_URL", ""), ("GITHUB_REPOSITORY", "a/b")]);
        assert_eq!(found.and_then(|found| found.repository), None);
    }
}
