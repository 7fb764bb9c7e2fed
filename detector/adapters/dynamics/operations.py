"""The operations of the Microsoft 365 audit log: those of Dynamics 365 and of the services beside it."""

from __future__ import annotations

import re
from functools import lru_cache

from detector.event import Operation

__all__ = ["ADMIN_TYPES", "CRM_TYPES", "LOGIN_TYPES", "crm_operation", "service_operation"]

CRM_TYPES = frozenset({"21", "crm", "dynamics365", "dataverse", "mscrm"})
"""Record types, by number or name, of Dynamics 365's own records."""
ADMIN_TYPES = frozenset(
    {"1", "8", "14", "exchangeadmin", "azureactivedirectory", "sharepointsharingoperation"}
)
"""Record types that change settings, rights or accounts, unless their operation says otherwise."""
LOGIN_TYPES = frozenset({"9", "15", "azureactivedirectoryaccountlogon", "azureactivedirectorystslogon"})

_CRM = {
    Operation.QUERY: "retrievemultiple executefetch executebyid retrieveentitychanges executepowerbisql",
    Operation.RECORD_VIEW: "retrieve retrieverecord readrecord",
    Operation.COUNT: "retrievetotalrecordcount",
    Operation.REPORT_EXPORT: """
        exporttoexcel exporttocsv exporttoexcelonline exportdynamictoexcel exportselectedtoexcel
        exporttemplatetoexcel exporttemplatetoword exporttoword exporttopdf exportpdfdocument
        exportworddocument downloadreportdefinition
    """,
    Operation.REPORT: "printreport runreport viewreport renderreport executereport",
    Operation.SEARCH: "search searchquery searchautocomplete searchsuggest executequickfind globalsearch quickfind",
    Operation.LOGIN: "usersignin signin login userlogin userloggedin userloginfailed crmlogin",
    Operation.FILE_DOWNLOAD: """
        downloadblock downloadblob downloadfile initializefileblocksdownload
        initializeannotationblocksdownload initializeattachmentblocksdownload
    """,
    Operation.WRITE: """
        create createmultiple update updatemultiple upsert upsertmultiple delete deletemultiple bulkdelete
        assign associate disassociate merge setstate setstatedynamicentity sendemail route addtoqueue
        addlistmembers closeincident resolveincident qualifylead winopportunity loseopportunity import
        createrecord updaterecord deleterecord
    """,
    Operation.ADMIN: """
        grantaccess modifyaccess revokeaccess share addprivilegesrole removeprivilegerole replaceprivilegesrole
        adduserrole removeuserrole addmembersteam removemembersteam importsolution exportsolution publishxml
        publishallxml registerplugin enableuser disableuser createrole updaterole deleterole
    """,
}
_SERVICES = {
    Operation.LOGIN: """
        userloggedin userloginfailed mailboxlogin signinevent teamssessionstarted login userlogin
        foreignrealmindexlogoncookiecopyusingdaskey forms:login
    """,
    Operation.FILE_DOWNLOAD: """
        filedownloaded filesyncdownloadedfull filesyncdownloadedpartial filedownloadedfrombrowser
        attachmentdownloaded downloadfile
    """,
    Operation.RECORD_VIEW: """
        fileaccessed fileaccessedextended filepreviewed listitemviewed attachmentaccess messagebind
        mailitemsaccessed messageread threadviewed viewresponse
    """,
    Operation.LIST_VIEW: "listviewed viewresponses messageslisted chatsretrieved",
    Operation.SEARCH: """
        searchqueryinitiatedexchange searchqueryinitiatedsharepoint searchqueryperformed searchstarted search
        searchcreated searchviewed
    """,
    Operation.REPORT_EXPORT: """
        exportreport downloadreport exportartifact exportform exportedresponses exportresponses
        downloadedexport exportdataflow
    """,
    Operation.REPORT: "viewreport runreport viewdashboard",
    Operation.BULK_EXPORT: """
        searchexported searchexportdownloaded viewedsearchexported messagesexported transcriptsexported
        recordingexported exportjob exportcreated
    """,
    Operation.WRITE: """
        send sendas sendonbehalf create update move movetodeleteditems softdelete harddelete copy applyrecord
        saved reply
    """,
    Operation.ADMIN: "sitecollectioncreated sitedeleted addfolderpermissions modifyfolderpermissions",
}
_CRM_WORDS = {word: operation for operation, words in _CRM.items() for word in words.split()}
_SERVICE_WORDS = {word: operation for operation, words in _SERVICES.items() for word in words.split()}
_METADATA = re.compile(
    r"retrieve(?:all)?(?:managed)?(?:entity|entities|entitykey|attribute|optionset|alloptionsets|relationship"
    r"|metadatachanges|property)s?"
)
_CMDLET = re.compile(
    r"(?:new|set|add|remove|enable|disable|update|install|uninstall|start|stop|grant|revoke)-"
)
_RIGHTS = re.compile(
    r"consent|permission|sharing|link(?:created|updated|deleted)|group|member|role|policy|application|app(?:installed|deleted)"
    r"|serviceprincipal|admin|credential|password|team(?:created|deleted|settingchanged)|ibmode|site(?:created|deleted)"
)
_CHANGE = re.compile(
    r"(?:file|folder|listitem|list|page|message|sensitivitylabel)?"
    r"(?:upload|creat|updat|delet|modif|move|rename|cop|recycl|restor|check|edit|sent|post|add)\w*"
)


@lru_cache(maxsize=1_024)
def crm_operation(word: str) -> Operation:
    """What a message of Dynamics 365's organisation service does, such as ``RetrieveMultiple``."""
    word = word.lower().removesuffix("request")
    operation = _CRM_WORDS.get(word)
    if operation is not None:
        return operation
    if _METADATA.fullmatch(word):
        return Operation.DESCRIBE
    return Operation.REPORT_EXPORT if word.startswith("exportto") else Operation.OTHER


@lru_cache(maxsize=1_024)
def service_operation(word: str, record_type: str) -> Operation:
    """What an operation of another service does; the record's type decides where its name does not."""
    word = word.lower().strip(". ")
    operation = _SERVICE_WORDS.get(word)
    if operation is not None:
        return operation
    if record_type in LOGIN_TYPES:
        return Operation.LOGIN
    plain = word.replace(" ", "")
    if record_type in ADMIN_TYPES or _CMDLET.match(word) or _RIGHTS.search(plain):
        return Operation.ADMIN
    return Operation.WRITE if _CHANGE.fullmatch(plain) else Operation.OTHER
