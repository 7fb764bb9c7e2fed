"""Maps a CRM's objects to data categories and sensitivities, as tables.

The names are the vendors' standard objects, matched in any case (SOQL ignores case), singular or plural; an object's
history, feed, share and change-event shadows count as the object. Most names mean the same to every vendor. A name
that does not is qualified by its adapter: a ``zendesk:user`` is a customer, any other user is staff. Custom objects
are classified by the words of their names (``Frequent_Flyer__c`` and ``sky_loyaltymember`` are loyalty). An unknown
object is `Category.UNCLASSIFIED` with `UNKNOWN_SENSITIVITY`: neither harmless nor an alarm.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum
from functools import lru_cache
from types import MappingProxyType

__all__ = [
    "PERSONAL_SENSITIVITY",
    "SENSITIVITY",
    "UNKNOWN_SENSITIVITY",
    "Category",
    "category",
    "gravest",
    "sensitivity",
]


class Category(StrEnum):
    """Data categories, as a notification to an authority distinguishes them."""

    CONTACT = "contact"
    CUSTOMER_SERVICE = "customer_service"
    """Messages between customers and customer service."""
    IDENTITY_DOCUMENTS = "identity_documents"
    PAYMENT = "payment"
    CREDENTIALS = "credentials"
    LOYALTY = "loyalty"
    HEALTH = "health"
    INTERNAL = "internal"
    """The company's own data: configuration, sales, staff."""
    UNCLASSIFIED = "unclassified"
    """Not in the table: nobody may claim that it was not exposed."""


UNKNOWN_SENSITIVITY = 0.5
PERSONAL_SENSITIVITY = 0.4
"""From this sensitivity on, data counts as personal, not just the company's own."""

SENSITIVITY = MappingProxyType(
    {
        Category.CONTACT: 0.7,
        Category.CUSTOMER_SERVICE: 0.8,
        Category.IDENTITY_DOCUMENTS: 1.0,
        Category.PAYMENT: 1.0,
        Category.CREDENTIALS: 1.0,
        Category.LOYALTY: 0.6,
        Category.HEALTH: 1.0,
        Category.INTERNAL: 0.2,
        Category.UNCLASSIFIED: UNKNOWN_SENSITIVITY,
    }
)
"""Harm, from 0 to 1, if a category's data is exfiltrated."""

_SALESFORCE = {
    Category.CONTACT: """
        Account AccountContactRelation AccountContactRole CampaignMember Contact ContactPointAddress
        ContactPointConsent ContactPointEmail ContactPointPhone ContactRequest Customer Individual
        Lead Person PersonAccount Recommendation Survey SurveyResponse
    """,
    Category.CUSTOMER_SERVICE: """
        Attachment Case CaseComment CaseContactRole ChatterMessage CollaborationGroupFeed
        ContentDocument ContentDocumentLink ContentNote ContentVersion Conversation
        ConversationEntry Document EmailMessage EmailMessageRelation FeedComment FeedItem
        LiveChatTranscript LiveChatTranscriptEvent LiveChatVisitor MessagingEndUser MessagingSession
        Note SocialPersona SocialPost Task VoiceCall VoiceCallRecording
    """,
    Category.PAYMENT: """
        CardPaymentMethod CreditMemo DigitalWallet Invoice InvoiceLine Payment PaymentAuthorization
        PaymentLineInvoice PaymentMethod Refund RefundLinePayment
    """,
    Category.CREDENTIALS: """
        AuthProvider AuthSession Certificate ConnectedApplication ExternalCredential NamedCredential
        OauthToken OAuthToken SessionPermSetActivation TwoFactorInfo UserAuthCertificate UserLogin
        VerificationHistory
    """,
    Category.LOYALTY: """
        LoyaltyLedger LoyaltyMemberCurrency LoyaltyMemberTier LoyaltyProgramMember MemberBenefit
        TransactionJournal Voucher
    """,
    Category.HEALTH: "CareBarrier CarePlan CareProgramEnrollee CareRequest HealthCondition",
    Category.INTERNAL: """
        ApexClass ApexTrigger AsyncApexJob Asset AssignedResource Campaign Contract ContractLineItem
        CronTrigger Dashboard EmailTemplate Entitlement EntityDefinition Event FieldDefinition Flow
        Folder Group GroupMember KnowledgeArticle KnowledgeArticleVersion Knowledge__kav Opportunity
        OpportunityContactRole OpportunityLineItem Order OrderItem Organization PermissionSet
        PermissionSetAssignment Pricebook2 PricebookEntry Product2 Profile QueueSobject Quote
        QuoteLineItem RecordType Report ServiceContract SetupAuditTrail Solution Territory2 Topic
        User UserRole
    """,
}
_DYNAMICS = {
    Category.CONTACT: """
        account contact contactleads customeraddress customerrelationship lead list listmember socialprofile
    """,
    Category.CUSTOMER_SERVICE: """
        activityfileattachment activitymimeattachment activityparty activitypointer annotation appointment email
        fax feedback incident incidentresolution letter phonecall postcomment socialactivity task
        msdyn_conversationmessage msdyn_livechatconversation msdyn_ocliveworkitem msdyn_ocsession msdyn_transcript
    """,
    Category.PAYMENT: "invoice invoicedetail",
    Category.CREDENTIALS: "emailserverprofile mailbox serviceendpoint",
    Category.INTERNAL: """
        asyncoperation audit businessunit campaign campaignactivity competitor contract duplicaterule entitlement
        equipment goal knowledgearticle opportunity opportunityproduct organization plugintype pricelevel product
        queue queueitem quote quotedetail role salesliterature salesorder salesorderdetail savedquery sdkmessage
        sla solution systemform systemuser team template territory transactioncurrency userquery usersettings
        webresource workflow
    """,
}
_ZENDESK = {
    Category.CONTACT: "user_identity zendesk:organization zendesk:user",
    Category.CUSTOMER_SERVICE: """
        attachment call chat comment conversation satisfaction_rating ticket voice_recording
    """,
    Category.CREDENTIALS: "api_token oauth_client oauth_token",
    Category.INTERNAL: """
        account_setting article automation brand custom_role group macro organization_field rule target
        ticket_field ticket_form trigger user_field view webhook
    """,
}
_HUBSPOT = {
    Category.CONTACT: "company contact form_submission list segment",
    Category.CUSTOMER_SERVICE: """
        call communication conversation email engagement feedback_submission meeting note postal_mail ticket
    """,
    Category.CREDENTIALS: "api_key private_app private_app_token",
    Category.INTERNAL: """
        campaign deal dashboard goal_target integration line_item permission_set pipeline product property quote
        report sequence user user_permissions workflow
    """,
}
_HOSTED = {
    Category.CONTACT: "account company contact customer lead",
    Category.CUSTOMER_SERVICE: "case document email incident meeting message note ticket",
    Category.INTERNAL: "deal opportunity order quote",
}
"""Objects named by the adapter of web servers' logs, after the paths of self-hosted CRMs."""

_VENDORS = (_SALESFORCE, _DYNAMICS, _ZENDESK, _HUBSPOT, _HOSTED)
# If a name has words of several categories, the first category here wins.
_WORDS = {
    Category.IDENTITY_DOCUMENTS: "passport visa identity document idcard licence license nationality apis",
    Category.PAYMENT: "payment card iban bank invoice refund billing credit",
    Category.CREDENTIALS: "password credential token secret apikey certificate",
    Category.HEALTH: "health medical disability wheelchair meal allergy",
    Category.LOYALTY: "loyalty flyer miles member membership points tier reward voucher",
    Category.CUSTOMER_SERVICE: "case complaint chat message email transcript conversation claim feedback",
    Category.CONTACT: "contact customer passenger person people traveller household booking lead",
    Category.INTERNAL: "config setting settings log job template mapping territory quota",
}
_BY_OBJECT = {
    name.lower(): kind for vendor in _VENDORS for kind, names in vendor.items() for name in names.split()
}
_BY_WORD = {word: kind for kind, words in _WORDS.items() for word in words.split()}
_GRAVITY = list(_WORDS)
_SHADOW = re.compile(r"(?:__)?(?:changeevent|history|feed|share|tag)$")
_CUSTOM = re.compile(r"__(?:c|x|b|kav|pc|r|changeevent|history|feed|share|tag)$", re.IGNORECASE)
_METADATA = re.compile(r"__mdt$", re.IGNORECASE)
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


def _listed(lower: str) -> Category | None:
    """The category of a name in the table, in the singular or the plural."""
    found = _BY_OBJECT.get(lower)
    if found is None and lower.endswith("s"):
        found = _BY_OBJECT.get(lower[:-1])
        if found is None and lower.endswith("ies"):
            found = _BY_OBJECT.get(lower[:-3] + "y")
    return found


def _of_word(word: str) -> Category | None:
    """The category of a word, or of a known word that it starts or ends with (``loyaltymember``)."""
    found = _BY_WORD.get(word)
    if found is not None or len(word) <= SHORTEST_WORD:
        return found
    kinds = [kind for known, kind in _BY_WORD.items() if len(known) >= SHORTEST_WORD and _bounds(word, known)]
    return min(kinds, key=_GRAVITY.index) if kinds else None


def _bounds(word: str, known: str) -> bool:
    return word.startswith(known) or word.endswith(known)


SHORTEST_WORD = 5
"""Shorter words match only on their own: a ``casing`` is not a case."""


@lru_cache(maxsize=4_096)
def category(name: str) -> Category:
    """The category of an object's data.

    >>> category("CaseHistory"), category("Frequent_Flyer__c")
    (<Category.CUSTOMER_SERVICE: 'customer_service'>, <Category.LOYALTY: 'loyalty'>)
    """
    lower = name.lower()
    found = _listed(lower) or _listed(_SHADOW.sub("", lower))
    if found is not None:
        return found
    if _METADATA.search(name):
        return Category.INTERNAL
    custom = _CUSTOM.search(name)
    if custom is None and "_" not in name:
        return Category.UNCLASSIFIED
    words = [word.lower() for word in _WORD.findall(name[: custom.start()] if custom else name)]
    kinds = [kind for word in words if (kind := _of_word(word)) is not None]
    return min(kinds, key=_GRAVITY.index) if kinds else Category.UNCLASSIFIED


def sensitivity(objects: Iterable[str]) -> float:
    """The highest sensitivity, 0 to 1, of the objects' data; `UNKNOWN_SENSITIVITY` without objects.

    >>> sensitivity(("User", "Case"))
    0.8
    """
    return max((SENSITIVITY[category(name)] for name in objects), default=UNKNOWN_SENSITIVITY)


def gravest(objects: tuple[str, ...]) -> str:
    """The object that an event's rows count as: the most sensitive one named.

    >>> gravest(("User", "Case")), gravest(())
    ('Case', '*')
    """
    if not objects:
        return "*"
    return objects[0] if len(objects) == 1 else max(objects, key=lambda name: sensitivity((name,)))
