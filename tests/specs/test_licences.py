"""Licences are sorted by what is stated of them; what asks most counts."""

import pytest

from sixnd.specs import catalog
from sixnd.specs.licences import licence_kind


@pytest.mark.parametrize(
    ("stated", "kind"),
    [
        ("MIT", "permissive"),
        ("BSD | License :: OSI Approved :: BSD License", "permissive"),
        ("Apache-2.0 WITH LLVM-exception", "permissive"),
        ("CC-BY-4.0", "permissive"),
        ("public domain (texts); MIT (the package that carries them)", "permissive"),
        ("GPL-2.0-or-later OR CC-BY-SA-3.0", "copyleft"),
        ("GNU Lesser General Public License v3", "copyleft"),
        ("LGPL-2.1-only", "copyleft"),
        ("AGPL-3.0 AND MIT", "copyleft"),
        ("MPL-2.0", "copyleft"),
        ("GFDL-1.3-or-later", "copyleft"),
        ("CC-BY-SA-4.0", "copyleft"),
        ("CC-BY-NC-SA-4.0", "restricted"),
        ("CC-BY-ND-4.0", "restricted"),
        ("Proprietary", "restricted"),
        ("", "unknown"),
        ("mit freundlicher Genehmigung", "unknown"),
        ("see LICENSE", "unknown"),
    ],
)
def test_a_stated_licence_has_its_kind(stated, kind):
    assert licence_kind(stated) == kind


@pytest.mark.parametrize("name", catalog.names("sources"))
def test_licences_of_the_catalog_are_known(name):
    stated = catalog.source(name).licence
    assert stated.startswith("per package") or licence_kind(stated) != "unknown"
