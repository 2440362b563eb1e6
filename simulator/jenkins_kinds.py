"""The kinds of items of a Jenkins, by their Java classes, and how branches are spelled as names of jobs."""

FOLDER = "com.cloudbees.hudson.plugins.folder.Folder"
ORGANIZATION = "jenkins.branch.OrganizationFolder"
MULTIBRANCH = "org.jenkinsci.plugins.workflow.multibranch.WorkflowMultiBranchProject"
FREESTYLE = "hudson.model.FreeStyleProject"
PIPELINE = "org.jenkinsci.plugins.workflow.job.WorkflowJob"
MATRIX = "hudson.matrix.MatrixProject"
CONFIGURATION = "hudson.matrix.MatrixConfiguration"
MULTIJOB = "com.tikal.jenkins.plugins.multijob.MultiJobProject"

_ENCODED = {character: f"%{ord(character):02X}" for character in "#%/?[]\\"}


def encode_name(name: str) -> str:
    """A branch as the name of its job: branch-api's NameEncoder, `feature/x` → `feature%2Fx`."""
    if name in ("", ".", ".."):
        return {"": "%00", ".": "%2E", "..": "%2E."}[name]
    return "".join(_ENCODED.get(character, character) for character in name)
